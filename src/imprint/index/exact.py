"""Exact neighbors: every support is compared with every query.

The rows are the same `RowBlocks` the decider holds, so the vectors are in memory once. Adding and
removing cost O(d) plus one copy of the identifiers (8 bytes each); nothing is rebuilt.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from imprint.errors import SupportNotFoundError, VectorError
from imprint.vectors import RowBlocks, top_k

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.types import QueryVectors, Similarities, UnitVector

Neighbor = tuple[int, str, float]  # row, support_id, cosine similarity


@dataclass(frozen=True, slots=True)
class ExactIndex:
    """Support identifiers and their vectors, row by row."""

    ids: tuple[str, ...]
    rows: RowBlocks
    # Shared by versions that only grew: an entry counts when it names a row this version has.
    _row_of: dict[str, int] = field(repr=False, compare=False, default_factory=dict)

    @classmethod
    def over(cls, ids: Sequence[str], rows: RowBlocks) -> ExactIndex:
        """Index rows under their support identifiers, in row order.

        Raises:
            VectorError: the two differ in length, or an identifier occurs twice.
        """
        ids = tuple(ids)
        if len(ids) != len(rows):
            raise VectorError(f"{len(ids)} support identifiers for {len(rows)} vectors")
        row_of = {support_id: row for row, support_id in enumerate(ids)}
        if len(row_of) != len(ids):
            raise VectorError(f"{len(ids) - len(row_of)} support identifiers occur twice")
        return cls(ids, rows, row_of)

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, support_id: object) -> bool:
        row = self._row_of.get(support_id) if isinstance(support_id, str) else None
        return row is not None and row < len(self.ids) and self.ids[row] == support_id

    def row_of(self, support_id: str) -> int:
        """Row of a support.

        Raises:
            SupportNotFoundError: the index does not hold it.
        """
        if support_id not in self:
            raise SupportNotFoundError("no such support in this collection")
        return self._row_of[support_id]

    def added(self, support_id: str, vector: UnitVector) -> ExactIndex:
        """Return this index with one more support, as its last row."""
        return self.continued(support_id, self.rows.appended(vector))

    def continued(self, support_id: str, rows: RowBlocks) -> ExactIndex:
        """Return this index with one more support whose vector is the last of `rows`."""
        if support_id in self:
            raise VectorError("the support is already in the index")
        row_of = self._row_of
        if support_id in row_of or len(row_of) != len(self.ids):
            # Another version grew from this one: go on with a table of our own.
            row_of = {known: row for row, known in enumerate(self.ids)}
        row_of[support_id] = len(self.ids)
        return ExactIndex((*self.ids, support_id), rows, row_of)

    def removed(self, support_id: str) -> ExactIndex:
        """Return this index without one support; the last row takes its place."""
        return self.without(support_id, self.rows.without(self.row_of(support_id)))

    def without(self, support_id: str, rows: RowBlocks) -> ExactIndex:
        """Return this index without one support, over rows it was already taken out of."""
        hole, ids = self.row_of(support_id), list(self.ids)
        last = ids.pop()
        if hole < len(ids):
            ids[hole] = last
        return ExactIndex(tuple(ids), rows, {known: row for row, known in enumerate(ids)})

    def similarities(self, queries: QueryVectors) -> Similarities:
        """Cosine of each query with each support: (n_query, n_rows)."""
        return self.rows.dot(np.atleast_2d(queries))

    def nearest(
        self, queries: QueryVectors, k: int, similarities: Similarities | None = None
    ) -> list[list[Neighbor]]:
        """Nearest supports of each query, nearest first; ties go to the lower row.

        Args:
            queries: unit rows.
            k: how many neighbors; fewer come back when the index holds fewer.
            similarities: what `similarities` gave for these queries, when already at hand.
        """
        near = self.similarities(queries) if similarities is None else similarities
        best = top_k(near, k)
        return [
            [(row, self.ids[row], float(values[row])) for row in rows]
            for values, rows in zip(near, best.tolist(), strict=True)
        ]
