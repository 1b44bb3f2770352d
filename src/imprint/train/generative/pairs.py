"""Pairs of different samples of one class: what a generator learns from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from imprint.errors import TooFewSupportsError

if TYPE_CHECKING:
    from collections.abc import Sequence

Rows = npt.NDArray[np.intp]


class Pairs:
    """Draws (condition, target) rows; every class counts the same, however many samples it has."""

    def __init__(self, labels: Sequence[str] | npt.NDArray[np.generic]) -> None:
        """Group rows by label.

        Raises:
            TooFewSupportsError: fewer than two classes hold two samples.
        """
        _, numbers = np.unique(np.asarray(labels), return_inverse=True)
        rows = [np.flatnonzero(numbers == c) for c in range(int(numbers.max(initial=-1)) + 1)]
        self._rows = [one for one in rows if len(one) > 1]
        if len(self._rows) < 2:
            raise TooFewSupportsError(
                f"{len(self._rows)} classes hold two samples or more; a generator learns how "
                "samples of one class differ, so bring at least two such classes"
            )

    @property
    def n_classes(self) -> int:
        """Classes with two samples or more."""
        return len(self._rows)

    def drawn(self, n: int, rng: np.random.Generator) -> tuple[Rows, Rows]:
        """Rows of `n` conditions and of `n` targets; no row is paired with itself."""
        chosen = rng.integers(len(self._rows), size=n)
        sizes = np.array([len(one) for one in self._rows])[chosen]
        first = rng.integers(sizes)
        second = (first + 1 + rng.integers(sizes - 1)) % sizes
        pick = [self._rows[c] for c in chosen.tolist()]
        conditions = np.array([rows[i] for rows, i in zip(pick, first, strict=True)])
        targets = np.array([rows[i] for rows, i in zip(pick, second, strict=True)])
        return conditions, targets
