"""Arithmetic on the unit sphere: unit rows, mean direction, cosine, chunked top-k.

All embeddings are float32 unit rows, so the cosine is a dot product. `RowBlocks` is the growing
matrix under heads and indexes: adding or replacing one row costs O(d) to O(block) whatever the
number of rows, and every value handed out stays as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from imprint.errors import OpposedSupportsError, VectorError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imprint.types import Similarities, UnitVector, UnitVectors

# Rows per block: 3 MB at a width of 384, so that the system backs it with large pages (a scan over
# 512-row blocks takes twice as long). Replacing one row copies a block, about 70 us.
BLOCK_ROWS = 2048
# The last block starts small and doubles: a collection of a few supports takes a few kilobytes.
_FIRST_ROWS = 32
# A one-query product of at most this many multiplications stays on one thread in OpenBLAS; larger
# ones are spread over all cores, whose waiting threads spin: with a second busy process answers
# took 67 ms instead of 2. So products are taken slice by slice.
_SLICE_VALUES = 4 * 65_536
_SMALLEST_LENGTH = 1e-12


def unit(vectors: npt.ArrayLike) -> UnitVectors:
    """Scale each row to length one, as float32.

    Raises:
        VectorError: a value is not finite, or a row has no direction (length zero).
    """
    rows = np.atleast_2d(np.asarray(vectors, dtype=np.float32))
    if not np.isfinite(rows).all():
        bad = int(np.argmin(np.isfinite(rows).all(axis=1)))
        raise VectorError(f"row {bad} holds NaN or infinity; remove it or impute it first")
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    if (lengths < _SMALLEST_LENGTH).any():
        bad = int(np.argmin(lengths))
        raise VectorError(f"row {bad} is the zero vector and has no direction")
    scaled: UnitVectors = (rows / lengths[:, None]).astype(np.float32)
    return scaled


def mean_direction(vectors: UnitVectors) -> UnitVector:
    """Mean of unit rows, returned to the unit sphere.

    Raises:
        OpposedSupportsError: the rows cancel out (mean shorter than 1e-6).
    """
    mean = vectors.mean(axis=0, dtype=np.float64)
    length = float(np.linalg.norm(mean))
    if length < 1e-6:
        raise OpposedSupportsError(
            f"the {len(vectors)} supports of a class point in opposite directions and cancel out; "
            "teach them as separate classes or remove one"
        )
    direction: UnitVector = (mean / length).astype(np.float32)
    return direction


def top_k(similarities: Similarities, k: int) -> npt.NDArray[np.intp]:
    """Columns of the k largest entries per row, largest first; ties go to the lower column.

    Returns (n_query, min(k, n_rows)).
    """
    n_rows = similarities.shape[1]
    k = min(k, n_rows)
    if k <= 0:
        return np.empty((len(similarities), 0), dtype=np.intp)
    if k < n_rows // 2:
        part = np.argpartition(-similarities, k - 1, axis=1)[:, :k]
        part.sort(axis=1)
        order = np.argsort(-np.take_along_axis(similarities, part, axis=1), axis=1, kind="stable")
        return np.take_along_axis(part, order, axis=1)
    return np.argsort(-similarities, axis=1, kind="stable")[:, :k]


@dataclass(slots=True)
class _Tail:
    """How far a shared last block has been written, so only one owner appends in place."""

    used: int = 0


@dataclass(frozen=True, slots=True)
class RowBlocks:
    """An immutable (n, d) float32 matrix that grows cheaply.

    Versions share blocks. Appending writes into the free tail of the last block when this version
    owns it (no earlier version can see those rows) and copies one block otherwise.
    """

    width: int
    n_rows: int = 0
    blocks: tuple[npt.NDArray[np.float32], ...] = ()
    _tail: _Tail = field(default_factory=_Tail, repr=False, compare=False)

    @classmethod
    def of(cls, rows: npt.NDArray[np.float32]) -> RowBlocks:
        """Copy a matrix into blocks."""
        n, width = rows.shape
        blocks = []
        for start in range(0, n, BLOCK_ROWS):
            part = rows[start : start + BLOCK_ROWS]
            block = np.zeros((_capacity(len(part)), width), dtype=np.float32)
            block[: len(part)] = part
            blocks.append(block)
        used = n - (len(blocks) - 1) * BLOCK_ROWS if blocks else 0
        return cls(width, n, tuple(blocks), _Tail(used))

    def __len__(self) -> int:
        return self.n_rows

    def appended(self, row: npt.NDArray[np.float32]) -> RowBlocks:
        """Return this matrix with one more row at the end."""
        if row.shape != (self.width,):
            raise VectorError(f"expected a vector of width {self.width}, got shape {row.shape}")
        at = self.n_rows % BLOCK_ROWS
        if at == 0:
            block = np.zeros((_FIRST_ROWS, self.width), dtype=np.float32)
            block[0] = row
            return RowBlocks(self.width, self.n_rows + 1, (*self.blocks, block), _Tail(1))
        if self._tail.used == at and at < len(self.blocks[-1]):
            self.blocks[-1][at] = row
            self._tail.used = at + 1
            return RowBlocks(self.width, self.n_rows + 1, self.blocks, self._tail)
        block = np.zeros((_capacity(at + 1), self.width), dtype=np.float32)
        block[:at] = self.blocks[-1][:at]
        block[at] = row
        return RowBlocks(self.width, self.n_rows + 1, (*self.blocks[:-1], block), _Tail(at + 1))

    def replaced(self, index: int, row: npt.NDArray[np.float32]) -> RowBlocks:
        """Return this matrix with one row changed."""
        if not 0 <= index < self.n_rows:
            raise IndexError(index)
        which, at = divmod(index, BLOCK_ROWS)
        block = self.blocks[which].copy()
        block[at] = row
        blocks = (*self.blocks[:which], block, *self.blocks[which + 1 :])
        last = which == len(self.blocks) - 1
        tail = _Tail(self.n_rows - which * BLOCK_ROWS) if last else self._tail
        return RowBlocks(self.width, self.n_rows, blocks, tail)

    def without(self, index: int) -> RowBlocks:
        """Return this matrix with one row removed; the last row takes its place."""
        last = self.row(self.n_rows - 1)
        moved = self if index == self.n_rows - 1 else self.replaced(index, last)
        n = self.n_rows - 1
        n_blocks = -(-n // BLOCK_ROWS)
        # used = -1: no version may append in place where an older version still has a row.
        return RowBlocks(self.width, n, moved.blocks[:n_blocks], _Tail(-1))

    def row(self, index: int) -> npt.NDArray[np.float32]:
        """One row (a view: do not write to it)."""
        which, at = divmod(index, BLOCK_ROWS)
        one: npt.NDArray[np.float32] = self.blocks[which][at]
        return one

    def matrix(self) -> npt.NDArray[np.float32]:
        """Copy everything into one (n, d) array."""
        if not self.blocks:
            return np.empty((0, self.width), dtype=np.float32)
        return np.concatenate(self._parts())

    def dot(self, queries: npt.NDArray[np.float32]) -> Similarities:
        """Dot products of (n_query, d) queries with every row: (n_query, n)."""
        if queries.ndim != 2 or queries.shape[1] != self.width:
            raise VectorError(f"expected queries of width {self.width}, got {queries.shape}")
        out = np.empty((len(queries), self.n_rows), dtype=np.float32)
        at, step = 0, slice_rows(self.width)
        for part in self._parts():
            for start in range(0, len(part), step):
                rows = part[start : start + step]
                np.matmul(queries, rows.T, out=out[:, at : at + len(rows)])
                at += len(rows)
        return out

    def _parts(self) -> list[npt.NDArray[np.float32]]:
        full, rest = divmod(self.n_rows, BLOCK_ROWS)
        parts = [block[:] for block in self.blocks[:full]]
        if rest:
            parts.append(self.blocks[full][:rest])
        return parts


def slice_rows(width: int) -> int:
    """Rows of this width that one product takes without being spread over threads."""
    return max(1, _SLICE_VALUES // max(width, 1))


def _capacity(n_rows: int) -> int:
    """Rows a block makes room for: a power of two times the first size, at most BLOCK_ROWS."""
    capacity = _FIRST_ROWS
    while capacity < n_rows:
        capacity *= 2
    return min(capacity, BLOCK_ROWS)


def stacked(vectors: Iterable[UnitVector], width: int) -> UnitVectors:
    """Stack vectors into (n, width); an empty iterable gives (0, width)."""
    rows = list(vectors)
    return np.stack(rows).astype(np.float32) if rows else np.empty((0, width), dtype=np.float32)
