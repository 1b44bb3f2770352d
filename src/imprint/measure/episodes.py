"""The episodic protocol of the few-shot papers: many small random recognition jobs.

An episode draws `n_way` classes, `n_shot` supports and `n_query` queries of each (Vinyals et al.
2016), optionally with class-imbalanced queries (Dirichlet, Veilleux et al. 2021) and queries of
further classes that were not taught (open set, Liu et al. 2020). Episode i of a seed is always the
same, whatever is asked of it and however many follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from imprint.errors import InvalidOptionError, TooFewSupportsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Rows = npt.NDArray[np.intp]  # row numbers of a pool


@dataclass(frozen=True, slots=True)
class Pool:
    """Labelled rows grouped by class; classes are numbered in the order of their sorted labels."""

    labels: tuple[str, ...]
    rows: tuple[Rows, ...]

    @classmethod
    def of(cls, labels: Sequence[str], leave_out: Sequence[int] = ()) -> Pool:
        """Group row numbers 0 .. n - 1 by label, but for some that are left out."""
        kept = np.setdiff1d(np.arange(len(labels)), np.asarray(leave_out, dtype=np.intp))
        names, row_class = np.unique(np.asarray(labels, dtype=np.str_)[kept], return_inverse=True)
        order = np.argsort(row_class, kind="stable")
        limits = np.cumsum(np.bincount(row_class, minlength=len(names)))[:-1]
        return cls(tuple(names.tolist()), tuple(np.split(kept[order].astype(np.intp), limits)))

    @property
    def n_classes(self) -> int:
        """Classes in the pool."""
        return len(self.labels)

    @property
    def n_rows(self) -> int:
        """Samples in the pool."""
        return sum(len(rows) for rows in self.rows)


@dataclass(frozen=True, slots=True)
class EpisodePlan:
    """What an episode looks like.

    `alpha` None asks `n_query` queries of every class; a number draws the class shares of the
    `n_way * n_query` queries from Dirichlet(alpha), 1 being the usual imbalance. `n_unknown_way`
    classes that were not taught are asked too, `n_query` queries each; None takes up to `n_way`
    of what the pool has left.
    """

    n_way: int = 5
    n_shot: int = 1
    n_query: int = 15
    n_episodes: int = 600
    alpha: float | None = None
    n_unknown_way: int | None = None

    def __post_init__(self) -> None:
        for name in ("n_way", "n_shot", "n_query", "n_episodes"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                raise InvalidOptionError(f"{name} must be a whole number from 1 on")
        if self.alpha is not None and not self.alpha > 0:
            raise InvalidOptionError("alpha must be greater than 0, or None for balanced queries")


@dataclass(frozen=True, slots=True)
class Episode:
    """One recognition job. Classes are numbered 0 .. n_way - 1 within it.

    `classes` gives each one's number in the pool. `query_class` is the truth of `query_rows`;
    `unknown_rows` are queries of classes that were not taught.
    """

    classes: Rows
    support_rows: Rows
    support_class: Rows
    query_rows: Rows
    query_class: Rows
    unknown_rows: Rows


def episodes(pool: Pool, plan: EpisodePlan, seed: int = 0) -> Iterator[Episode]:
    """Draw the episodes of a seed, each from its own stream of random numbers.

    Raises:
        TooFewSupportsError: the pool has too few classes, or a class too few samples.
    """
    _check(pool, plan)
    return (_draw(pool, plan, np.random.default_rng([seed, i])) for i in range(plan.n_episodes))


def shares(rng: np.random.Generator, alpha: float, room: Rows, n_total: int) -> Rows:
    """Split `n_total` queries over classes by Dirichlet(alpha), at most `room` of each.

    What a class cannot hold goes to the others, so the total is kept. Needs room.sum() >= n_total.
    """
    wanted = rng.dirichlet(np.full(len(room), alpha))
    counts = np.zeros(len(room), dtype=np.intp)
    while (rest := n_total - int(counts.sum())) > 0:
        weights = np.where(counts < room, wanted + 1e-9, 0.0)
        ideal = weights / weights.sum() * rest
        step = np.floor(ideal).astype(np.intp)
        largest = np.argsort(step - ideal, kind="stable")[: rest - int(step.sum())]
        step[largest] += 1
        counts = np.minimum(counts + step, room)
    return counts


def _draw(pool: Pool, plan: EpisodePlan, rng: np.random.Generator) -> Episode:
    order = rng.permutation(pool.n_classes)
    taught = order[: plan.n_way]
    counts = np.full(plan.n_way, plan.n_query, dtype=np.intp)
    if plan.alpha is not None:
        room = np.array([len(pool.rows[c]) - plan.n_shot for c in taught], dtype=np.intp)
        counts = shares(rng, plan.alpha, room, plan.n_way * plan.n_query)
    drawn = [
        _some(pool.rows[c], plan.n_shot + int(n), rng) for c, n in zip(taught, counts, strict=True)
    ]
    others = order[plan.n_way : plan.n_way + _n_unknown(pool, plan)]
    unknown = [_some(pool.rows[c], min(plan.n_query, len(pool.rows[c])), rng) for c in others]
    numbers = np.arange(plan.n_way)
    return Episode(
        classes=taught,
        support_rows=np.concatenate([rows[: plan.n_shot] for rows in drawn]),
        support_class=np.repeat(numbers, plan.n_shot),
        query_rows=np.concatenate([rows[plan.n_shot :] for rows in drawn]),
        query_class=np.repeat(numbers, counts),
        unknown_rows=np.concatenate([np.empty(0, dtype=np.intp), *unknown]),
    )


def _some(rows: Rows, n: int, rng: np.random.Generator) -> Rows:
    chosen: Rows = rows[rng.choice(len(rows), n, replace=False)]
    return chosen


def _n_unknown(pool: Pool, plan: EpisodePlan) -> int:
    left = pool.n_classes - plan.n_way
    return min(plan.n_way, left) if plan.n_unknown_way is None else plan.n_unknown_way


def _check(pool: Pool, plan: EpisodePlan) -> None:
    needed = plan.n_way + (plan.n_unknown_way or 0)
    if pool.n_classes < needed:
        raise TooFewSupportsError(
            f"{needed} classes are needed ({plan.n_way} taught, {needed - plan.n_way} asked as "
            f"unknown) but there are {pool.n_classes}; lower n_way or bring more classes"
        )
    # With Dirichlet shares a class may give one query only; the total is checked below.
    per_class = plan.n_shot + (plan.n_query if plan.alpha is None else 1)
    sizes = np.array([len(rows) for rows in pool.rows])
    worst = int(sizes.argmin())
    if sizes[worst] < per_class:
        n_small = int((sizes < per_class).sum())
        raise TooFewSupportsError(
            f"class {pool.labels[worst]!r} holds {sizes[worst]} samples but {plan.n_shot} supports "
            f"and {per_class - plan.n_shot} queries need {per_class} ({n_small} of "
            f"{pool.n_classes} classes are too small); lower n_shot or n_query, or leave them out"
        )
    held = np.sort(sizes)[: plan.n_way].sum() - plan.n_way * plan.n_shot
    if plan.alpha is not None and held < plan.n_way * plan.n_query:
        raise TooFewSupportsError(
            f"the {plan.n_way} smallest classes hold {held} queries together but "
            f"{plan.n_way * plan.n_query} are asked; lower n_query"
        )
