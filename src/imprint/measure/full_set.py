"""The full-set protocol of the text papers: a few supports per class, the whole test file asked.

Supports are drawn from the training rows, several draws, because one draw of one support per
class says little (5 to 14 points apart on intents). Classes that are not taught, by choice or
because only the test rows hold them, are asked as unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imprint.errors import InvalidOptionError, TooFewSupportsError
from imprint.measure.episodes import Episode, Pool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imprint.measure.episodes import Rows


def draws(
    train: Pool, test: Pool, *, n_shot: int, n_draws: int = 10, n_way: int | None = None, seed: int
) -> Iterator[Episode]:
    """Draw supports from `train`; queries are all rows of `test`.

    Class numbers of the episodes are those of `train`. With `n_way`, that many classes are drawn
    each time and the others asked as unknown; None teaches all.

    Raises:
        TooFewSupportsError: a class holds fewer than `n_shot` samples, or there are too few.
        InvalidOptionError: no test row is of a taught class, or a number is not positive.
    """
    n_way = train.n_classes if n_way is None else n_way
    _check(train, test, n_shot, n_way, n_draws)
    asked = _asked(train, test)
    return (
        _draw(train, asked, n_shot, n_way, np.random.default_rng([seed, i])) for i in range(n_draws)
    )


def _draw(
    train: Pool, asked: tuple[Rows, Rows], n_shot: int, n_way: int, rng: np.random.Generator
) -> Episode:
    whole = n_way == train.n_classes
    taught = np.arange(n_way) if whole else np.sort(rng.permutation(train.n_classes)[:n_way])
    place = np.full(train.n_classes + 1, -1, dtype=np.intp)  # the last one is "not in train"
    place[taught] = np.arange(n_way)
    rows, truth = asked
    query_class = place[truth]
    known = query_class >= 0
    picked = [train.rows[c][rng.choice(len(train.rows[c]), n_shot, replace=False)] for c in taught]
    return Episode(
        classes=taught,
        support_rows=np.concatenate(picked),
        support_class=np.repeat(np.arange(n_way), n_shot),
        query_rows=rows[known],
        query_class=query_class[known],
        unknown_rows=rows[~known],
    )


def _asked(train: Pool, test: Pool) -> tuple[Rows, Rows]:
    """Test rows in order, and each one's train class number (n_classes where train has none)."""
    number = {label: i for i, label in enumerate(train.labels)}
    numbers = [number.get(label, train.n_classes) for label in test.labels]
    rows = np.concatenate(test.rows)
    truth = np.repeat(numbers, [len(some) for some in test.rows])
    order = np.argsort(rows)
    return rows[order], truth[order].astype(np.intp)


def _check(train: Pool, test: Pool, n_shot: int, n_way: int, n_draws: int) -> None:
    if min(n_shot, n_way, n_draws) < 1:
        raise InvalidOptionError("n_shot, n_way and the number of draws must be at least 1")
    if n_way > train.n_classes:
        raise TooFewSupportsError(
            f"{n_way} classes are to be taught but there are {train.n_classes}; lower n_way"
        )
    sizes = [len(rows) for rows in train.rows]
    worst = int(np.argmin(sizes))
    if sizes[worst] < n_shot:
        raise TooFewSupportsError(
            f"class {train.labels[worst]!r} holds {sizes[worst]} samples but {n_shot} supports are "
            "to be drawn; lower n_shot, or leave the class out"
        )
    if not set(train.labels) & set(test.labels):
        raise InvalidOptionError("no class of the test rows is among the classes taught")
