"""What a collection was taught, as sums that grow and shrink by one support at a time.

Class sums are kept in float64, so a thousand additions and removals leave the prototype where a
fresh sum would put it. Every value is frozen; a change makes a new one that shares what is equal.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from imprint.errors import OpposedSupportsError, VectorError
from imprint.vectors import RowBlocks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imprint.types import Similarities, UnitVector

Made = TypeVar("Made")

NEGATIVE = -1  # class number of a support of no class ("not this one")
_OPPOSED = 1e-6
# The anchor counts as this many classes in the center, so that one class is not its own center.
CENTER_PRIOR = 4


@dataclass(frozen=True, slots=True)
class SupportSet:
    """Support vectors with their classes, and the class sums, counts and prototypes.

    `row_class` numbers classes as in `labels` (order of first teaching), NEGATIVE for none.
    A prototype is the unit mean direction of a class. Where a removal leaves supports that cancel
    out, it is the zero vector: similar to nothing, until the class is taught again.
    `direction_sum` adds up the prototypes. `anchor` is the mean of what is of no class (zero when
    unknown).
    """

    rows: RowBlocks
    row_class: npt.NDArray[np.intp]
    labels: tuple[str, ...]
    sums: tuple[npt.NDArray[np.float64], ...]
    counts: npt.NDArray[np.intp]
    prototypes: RowBlocks
    direction_sum: npt.NDArray[np.float64]
    anchor: npt.NDArray[np.float32]
    _memo: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        rows: RowBlocks,
        labels: Sequence[str | None],
        anchor: npt.NDArray[np.float32] | None = None,
    ) -> SupportSet:
        """Number the classes in row order and sum them.

        Raises:
            VectorError: labels and rows differ in length.
        """
        if len(labels) != len(rows):
            raise VectorError(f"{len(labels)} labels for {len(rows)} support vectors")
        number: dict[str, int] = {}
        row_class = np.array(
            [
                NEGATIVE if label is None else number.setdefault(label, len(number))
                for label in labels
            ],
            dtype=np.intp,
        )
        taught = row_class >= 0
        counts = np.bincount(row_class[taught], minlength=len(number)).astype(np.intp)
        totals = _class_sums(rows.matrix()[taught], row_class[taught], counts)
        directions = np.stack([_direction(total) for total in totals]) if number else totals
        directions = directions.astype(np.float32)
        prototypes = RowBlocks.of(directions)
        if anchor is None:
            anchor = np.zeros(rows.width, dtype=np.float32)
        total = directions.sum(axis=0, dtype=np.float64)
        return cls(rows, row_class, tuple(number), tuple(totals), counts, prototypes, total, anchor)

    @property
    def n_rows(self) -> int:
        """Supports held, negatives included."""
        return len(self.rows)

    @property
    def n_way(self) -> int:
        """Classes held."""
        return len(self.labels)

    def row_labels(self) -> tuple[str | None, ...]:
        """Label of each row, None for negatives."""
        return tuple(None if c < 0 else self.labels[c] for c in self.row_class.tolist())

    def added(self, vector: UnitVector, label: str | None) -> SupportSet:
        """Return this set with one more support, as its last row.

        Raises:
            OpposedSupportsError: the class's supports would cancel out.
            VectorError: the vector has another width, or a value that is not finite.
        """
        if not np.isfinite(vector).all():
            raise VectorError("the support vector holds NaN or infinity; remove it")
        rows = self.rows.appended(np.asarray(vector, dtype=np.float32))
        if label is None:
            return self._with(rows, np.append(self.row_class, NEGATIVE))
        if label not in self.labels:
            return self._with_new_class(rows, label, rows.row(self.n_rows).astype(np.float64))
        number = self.labels.index(label)
        total = self.checked_sum(vector, number)
        return self._with_sum(rows, np.append(self.row_class, number), number, total, +1)

    def checked_sum(self, vector: UnitVector, number: int) -> npt.NDArray[np.float64]:
        """Sum of a class with one more support.

        Raises:
            OpposedSupportsError: the class's supports would cancel out.
        """
        total: npt.NDArray[np.float64] = self.sums[number] + vector
        if float(np.linalg.norm(total)) < _OPPOSED:
            raise OpposedSupportsError(
                f"this support and the {self.counts[number]} of its class point in opposite "
                "directions and cancel out; teach it as a class of its own"
            )
        return total

    def removed(self, row: int) -> SupportSet:
        """Return this set without one support; the last row takes its place."""
        if not 0 <= row < self.n_rows:
            raise VectorError(f"row {row} is outside 0 .. {self.n_rows - 1}")
        number = int(self.row_class[row])
        rows = self.rows.without(row)
        row_class = self.row_class[:-1].copy()
        if row < len(row_class):
            row_class[row] = self.row_class[-1]
        if number == NEGATIVE:
            return self._with(rows, row_class)
        if self.counts[number] == 1:
            return self._without_class(rows, row_class, number)
        total = self.sums[number] - self.rows.row(row)
        return self._with_sum(rows, row_class, number, total, -1)

    def best_per_class(self, similarities: Similarities) -> Similarities:
        """Largest similarity of each class's supports: (n_query, n_way)."""
        best = np.full((len(similarities), self.n_way + 1), -np.inf, dtype=np.float32)
        if len(similarities) < 16:  # one pass each; sorting rows by class costs more
            for out, values in zip(best, similarities, strict=True):
                np.maximum.at(out, self.row_class, values)
            return best[:, :-1]
        order = np.argsort(self.row_class, kind="stable")
        present, starts = np.unique(self.row_class[order], return_index=True)
        best[:, present] = np.maximum.reduceat(similarities[:, order], starts, axis=1)
        return best[:, :-1]

    def best_negative(self, similarities: Similarities) -> npt.NDArray[np.float32] | None:
        """Largest similarity with a negative (n_query,), or None when there are none."""
        negative = self.row_class == NEGATIVE
        return similarities[:, negative].max(axis=1) if negative.any() else None

    def sum_per_class(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Sum of a value per row over each class's rows: (n_query, n_rows) to (n_query, n_way)."""
        slots = np.where(self.row_class < 0, self.n_way, self.row_class)
        sums = [
            np.bincount(slots, weights=row, minlength=self.n_way + 1).astype(np.float64)
            for row in values
        ]
        if not sums:
            return np.empty((0, self.n_way))
        stacked: npt.NDArray[np.float64] = np.stack(sums)[:, : self.n_way]
        return stacked

    def center(self) -> npt.NDArray[np.float32]:
        """Mean of the prototypes, drawn towards the anchor while there are few."""
        total = self.direction_sum + CENTER_PRIOR * self.anchor
        return (total / (self.n_way + CENTER_PRIOR)).astype(np.float32)

    def of_center(self) -> npt.NDArray[np.float32]:
        """Product of each prototype with the center (n_way,), worked out once per state."""
        return self.once("of_center", lambda: self.prototypes.dot(self.center()[None])[0])

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """Work out something of this state at the first call, and keep it."""
        if name not in self._memo:
            self._memo[name] = make()
        made: Made = self._memo[name]
        return made

    def _with(self, rows: RowBlocks, row_class: npt.NDArray[np.intp]) -> SupportSet:
        return replace(self, rows=rows, row_class=row_class)

    def _with_new_class(
        self, rows: RowBlocks, label: str, total: npt.NDArray[np.float64]
    ) -> SupportSet:
        direction = _direction(total)
        return SupportSet(
            rows,
            np.append(self.row_class, self.n_way),
            (*self.labels, label),
            (*self.sums, total),
            np.append(self.counts, 1),
            self.prototypes.appended(direction),
            self.direction_sum + direction,
            self.anchor,
        )

    def _with_sum(
        self,
        rows: RowBlocks,
        row_class: npt.NDArray[np.intp],
        number: int,
        total: npt.NDArray[np.float64],
        change: int,
    ) -> SupportSet:
        counts = self.counts.copy()
        counts[number] += change
        sums = (*self.sums[:number], total, *self.sums[number + 1 :])
        direction = _direction(total)
        moved = self.direction_sum - self.prototypes.row(number) + direction
        prototypes = self.prototypes.replaced(number, direction)
        return SupportSet(
            rows, row_class, self.labels, sums, counts, prototypes, moved, self.anchor
        )

    def _without_class(
        self, rows: RowBlocks, row_class: npt.NDArray[np.intp], number: int
    ) -> SupportSet:
        keep = [c for c in range(self.n_way) if c != number]
        return SupportSet(
            rows,
            np.where(row_class > number, row_class - 1, row_class),
            tuple(self.labels[c] for c in keep),
            tuple(self.sums[c] for c in keep),
            self.counts[keep],
            RowBlocks.of(self.prototypes.matrix()[keep]),
            self.direction_sum - self.prototypes.row(number),
            self.anchor,
        )


def _class_sums(
    matrix: npt.NDArray[np.float32], row_class: npt.NDArray[np.intp], counts: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    if not len(counts):
        return np.zeros((0, matrix.shape[1]), dtype=np.float64)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    exact = matrix[np.argsort(row_class, kind="stable")].astype(np.float64)
    totals: npt.NDArray[np.float64] = np.add.reduceat(exact, starts, axis=0)
    return totals


def _direction(total: npt.NDArray[np.float64]) -> UnitVector:
    length = float(np.linalg.norm(total))
    if length < _OPPOSED:
        return np.zeros(len(total), dtype=np.float32)
    direction: UnitVector = (total / length).astype(np.float32)
    return direction
