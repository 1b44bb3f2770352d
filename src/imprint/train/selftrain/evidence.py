"""Does self-training pay? Labelled supports are held out and answered with and without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from imprint.train.selftrain.rounds import self_trained
from imprint.vectors import unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.train.selftrain.plan import SelfTrainPlan
    from imprint.types import UnitVectors

Names = npt.NDArray[np.str_]
Rows = npt.NDArray[np.intp]
Rights = npt.NDArray[np.float64]

# Two-sided, about one in twenty where it makes no difference.
_CLEARLY = 1.96


class Comparison(NamedTuple):
    """The same held-out supports answered both ways; `error` is the gain's standard error."""

    n_held: int
    accuracy_before: float
    accuracy_after: float
    gain: float
    error: float

    @property
    def pays(self) -> bool:
        """Whether the gain is clearly above zero."""
        return self.gain > _CLEARLY * self.error and self.gain > 0


def compared(
    vectors: UnitVectors,
    labels: Sequence[str],
    pool: UnitVectors,
    plan: SelfTrainPlan,
    *,
    n_folds: int = 5,
) -> Comparison | None:
    """Hold labelled supports out in turn, always leaving one of each class to learn from.

    None where no class has two: with one support of each there is nothing to judge by, and the
    caller has to decide.
    """
    names, rng = np.asarray(labels), np.random.default_rng(plan.seed)
    before: list[bool] = []
    after: list[bool] = []
    for held in _folds(names, n_folds, rng):
        kept = np.ones(len(names), dtype=bool)
        kept[held] = False
        plain = _plain_answers(vectors[kept], names[kept], vectors[held])
        trained = self_trained(vectors[kept], names[kept].tolist(), pool, plan)
        before += (plain == names[held]).tolist()
        after += (np.asarray(trained.answers(vectors[held])) == names[held]).tolist()
    return _comparison(np.asarray(before, float), np.asarray(after, float)) if before else None


def _comparison(before: Rights, after: Rights) -> Comparison:
    change = after - before
    error = float(change.std(ddof=1) / np.sqrt(len(change))) if len(change) > 1 else float("inf")
    return Comparison(
        len(change), float(before.mean()), float(after.mean()), float(change.mean()), error
    )


def _folds(names: Names, n_folds: int, rng: np.random.Generator) -> list[Rows]:
    """Rows held out together: with two folds or more a class never loses its last row."""
    parts: list[list[int]] = [[] for _ in range(max(2, n_folds))]
    for label in np.unique(names):
        rows = rng.permutation(np.flatnonzero(names == label)).tolist()
        for place, row in enumerate(rows if len(rows) > 1 else []):
            parts[place % len(parts)].append(row)
    return [np.asarray(sorted(part), dtype=np.intp) for part in parts if part]


def _plain_answers(vectors: UnitVectors, labels: Names, queries: UnitVectors) -> Names:
    names, classes = np.unique(labels, return_inverse=True)
    sums = np.zeros((len(names), vectors.shape[1]), dtype=np.float32)
    np.add.at(sums, classes, vectors)
    answers: Names = names[(queries @ unit(sums).T).argmax(axis=1)]
    return answers
