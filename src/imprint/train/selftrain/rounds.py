"""The rounds of self-training: answer the pool, take the surest of each class, fit again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from imprint.errors import TooFewSupportsError, VectorError
from imprint.train.selftrain.uncertainty import Doubt, doubt
from imprint.vectors import unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.train.selftrain.plan import SelfTrainPlan
    from imprint.types import UnitVectors

ORIGIN = "pseudo"
Classes = npt.NDArray[np.intp]


class PseudoSupport(NamedTuple):
    """A pool sample that joined: its row in the pool, the class given to it, and how surely."""

    row: int
    label: str
    probability: float
    agreement: float
    information: float
    origin: str = ORIGIN


class SelfTrained(NamedTuple):
    """What self-training found: who joined, and the prototypes with them, in order of `labels`."""

    labels: tuple[str, ...]
    prototypes: UnitVectors
    pseudo: list[PseudoSupport]
    n_per_round: tuple[int, ...]

    def answers(self, queries: UnitVectors) -> list[str]:
        """The class of the nearest prototype, for each query."""
        return [self.labels[c] for c in (queries @ self.prototypes.T).argmax(axis=1).tolist()]


def self_trained(
    vectors: UnitVectors, labels: Sequence[str], pool: UnitVectors, plan: SelfTrainPlan
) -> SelfTrained:
    """Let unlabeled vectors join the labelled ones, class by class, where they are sure.

    Every round starts from the labelled supports alone: an early mistake is not kept by force.

    Raises:
        TooFewSupportsError: there are fewer than two classes.
        VectorError: pool and supports differ in width.
    """
    names, classes = np.unique(np.asarray(labels), return_inverse=True)
    if len(names) < 2:
        raise TooFewSupportsError(f"self-training needs two classes or more, got {len(names)}")
    if pool.ndim != 2 or pool.shape[1] != vectors.shape[1]:
        raise VectorError(
            f"the pool has shape {pool.shape}, the supports width {vectors.shape[1]}; "
            "embed both with the same encoder"
        )
    rng = np.random.default_rng(plan.seed)
    own = _sums(vectors, classes, len(names))
    prototypes, chosen, counts = unit(own), np.empty(0, dtype=np.intp), []
    found = Doubt(
        np.empty((0, len(names)), np.float32), np.empty(0, np.float32), np.empty(0, np.float32)
    )
    for number in range(plan.n_rounds if len(pool) else 0):
        found = _doubt(pool, prototypes, rng, plan)
        n_most = max(1, round(plan.n_most * (number + 1) / plan.n_rounds))
        chosen = taken(found, n_most, plan)
        joined = _sums(pool[chosen], found.best[chosen], len(names))
        prototypes = unit(own + plan.weight * joined)
        counts.append(len(chosen))
    pseudo = [_pseudo(row, found, names) for row in chosen.tolist()]
    return SelfTrained(tuple(names.tolist()), prototypes, pseudo, tuple(counts))


def taken(found: Doubt, n_most: int, plan: SelfTrainPlan) -> Classes:
    """Rows that may join: sure and agreed on, the same number of each class where there are.

    No class takes more than twice the median class, so that a class that attracts everything does
    not grow by that alone.
    """
    best = found.best
    sure = found.probabilities[np.arange(len(best)), best]
    may = (sure >= plan.least_sure) & (found.agreement >= plan.least_agreement)
    # Surest first: by what the passes agree on, less what they differ in.
    order = np.argsort(-(sure - found.information), kind="stable")
    order = order[may[order]]
    per_class = [order[best[order] == c] for c in range(found.probabilities.shape[1])]
    sizes = [len(rows) for rows in per_class if len(rows)]
    most = min(n_most, 2 * int(np.median(sizes))) if sizes else 0
    return np.concatenate([rows[:most] for rows in per_class])


def _doubt(
    pool: UnitVectors, prototypes: UnitVectors, rng: np.random.Generator, plan: SelfTrainPlan
) -> Doubt:
    return doubt(
        pool,
        prototypes,
        rng,
        n_passes=plan.n_passes,
        dropout=plan.dropout,
        sharpness=plan.sharpness,
    )


def _sums(vectors: UnitVectors, classes: Classes, n_way: int) -> UnitVectors:
    sums = np.zeros((n_way, vectors.shape[1]), dtype=np.float32)
    np.add.at(sums, classes, vectors)
    return sums


def _pseudo(row: int, found: Doubt, names: npt.NDArray[np.str_]) -> PseudoSupport:
    best = int(found.best[row])
    return PseudoSupport(
        row,
        str(names[best]),
        float(found.probabilities[row, best]),
        float(found.agreement[row]),
        float(found.information[row]),
    )
