"""How good is each class, before anyone has tested it? Estimated from the supports alone.

Classes with several supports are asked about one of their own, held out of every such class at once
(leaving out one support only would pit a class of k - 1 against others of k and look too bad).
Error then falls with the number of supports as a power law (Hestness et al., "Deep learning scaling
is predictable, empirically", 2017; few-shot curves follow it in the range we meet), fitted between
half the supports and all but one, and read off at the full number. A class with one support has
nothing to hold out. How hard such a collection is we guess from its number of classes and from how
distinct its supports are: samples that lie nearer to the encoder's background bank than the bank
lies to itself (blurred, terse, generic) are hard to tell apart, those far from it are easy. Which
of the classes are harder, and what they are taken for, queries made around the supports say. How
far all this is from the truth is in docs/measurements/expectation.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable

    from imprint.types import QueryVectors, SupportLabels, SupportVectors, UnitVectors

    Predict = Callable[[SupportVectors, SupportLabels, QueryVectors], npt.NDArray[np.intp]]

Counts = npt.NDArray[np.float64]

# Share of error left after doubling the supports, where it cannot be fitted: 0.5 ** 0.55 = 0.68.
_USUAL_EXPONENT: Final = 0.55
# Classes speak for each other this much: pseudo-queries of the collection's mean in each class.
_SHRINKAGE: Final = 4.0
# Log-odds of being right with one support each in ten classes; what distinctness and the log of the
# number of other classes add. Fitted on twelve text and image sets; the swing is the standard
# deviation on a set left out of the fit (record).
_LEVEL, _DISTINCT, _OTHERS, _SWING = 0.0, 3.7, -0.5, 1.4
_USUAL_DISTINCTNESS: Final = 0.12
# A made query: cosine with its support in standard deviations above the bank's mean cosine, and
# how much it leans towards another class.
_SAME_CLASS, _LEAN = (3.0, 1.5), 0.4
_USUAL_COSINE: Final = (0.15, 0.13)
_MADE_PER_CLASS: Final = 24
_MOST_MADE: Final = 20_000
_HELD_ENOUGH, _MOST_SPLITS = 400, 12
_BANK_ENOUGH: Final = 50


class Expected(NamedTuple):
    """An expected accuracy (0 .. 1) and the bounds of its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Expectation:
    """What queries of each class will meet.

    `per_class[c]` is the expected top-1 accuracy of class c among the taught classes; `one_more[c]`
    what one more support of c would add to it. `confused[c, o]` is the share of queries of c that
    would be given to o. `misled` lists (query row, class given) of supports that would be taken
    for another class if they came as queries.
    """

    overall: Expected
    per_class: tuple[Expected, ...]
    one_more: tuple[float, ...]
    confused: npt.NDArray[np.float64]
    misled: tuple[tuple[int, int], ...]


def expect(
    vectors: SupportVectors,
    classes: SupportLabels,
    predict: Predict,
    bank: UnitVectors | None,
    rng: np.random.Generator,
) -> Expectation:
    """Estimate accuracy per class from the supports.

    Args:
        vectors: supports (n_support, d), unit rows.
        classes: class numbers 0 .. n_way - 1, every class at least once.
        predict: fits the collection's head to (supports, classes) and predicts queries.
        bank: the encoder's background bank, or None.
        rng: for splits and made queries.
    """
    counts = np.bincount(classes).astype(np.float64)
    asked = _held_out(vectors, classes, predict, rng)
    exponent = _exponent(vectors, classes, predict, rng, asked)
    made = _made(vectors, classes, predict, bank, rng, counts)
    table = asked.table + made
    level = _single_error(vectors, bank, len(counts))
    error, n_effective = _errors(asked.table, _at_level(made, level), counts, exponent, level)
    more = error * (1.0 - (counts / (counts + 1.0)) ** exponent)
    per_class = tuple(
        _interval(1.0 - e, n) for e, n in zip(error.tolist(), n_effective.tolist(), strict=True)
    )
    overall = _interval(float(1.0 - error.mean()), _evidence(asked.table, counts, level))
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1.0)
    np.fill_diagonal(shares, 0.0)
    return Expectation(overall, per_class, tuple(more.tolist()), shares, asked.misled)


class _Asked(NamedTuple):
    table: Counts  # (n_way, n_way): queries of row given to column
    misled: tuple[tuple[int, int], ...]


def _held_out(
    vectors: SupportVectors,
    classes: SupportLabels,
    predict: Predict,
    rng: np.random.Generator,
) -> _Asked:
    n_way = int(classes.max()) + 1
    table = np.zeros((n_way, n_way))
    misled: dict[int, int] = {}
    rows_of = [np.flatnonzero(classes == c) for c in range(n_way)]
    several = [rows for rows in rows_of if len(rows) > 1]
    if not several or n_way < 2:
        return _Asked(table, ())
    orders = [rng.permutation(rows) for rows in several]
    longest = max(len(rows) for rows in several)
    n_splits = int(np.clip(_HELD_ENOUGH // len(several), 2, min(_MOST_SPLITS, longest)))
    for turn in range(n_splits):
        held = np.array([order[turn % len(order)] for order in orders])
        given = _answered(vectors, classes, predict, held)
        np.add.at(table, (classes[held], given), 1.0)
        wrong = given != classes[held]
        misled |= dict(zip(held[wrong].tolist(), given[wrong].tolist(), strict=True))
    return _Asked(table, tuple(sorted(misled.items())))


def _exponent(
    vectors: SupportVectors,
    classes: SupportLabels,
    predict: Predict,
    rng: np.random.Generator,
    asked: _Asked,
) -> float:
    """Fit how fast error falls, between about half the supports of each class and all but one."""
    counts = np.bincount(classes)
    rich = np.flatnonzero(counts > 2)
    if len(rich) < 2:
        return _USUAL_EXPONENT
    missed = n_asked = 0
    for _ in range(2 if len(rich) > 40 else 4):
        held = np.concatenate(
            [
                rng.permutation(np.flatnonzero(classes == c))[max(1, (counts[c] - 1) // 2) :]
                for c in rich
            ]
        )
        given = _answered(vectors, classes, predict, held)
        missed += int((given != classes[held]).sum())
        n_asked += len(held)
    few = missed / n_asked
    rows = asked.table[rich]
    many = 1.0 - float(np.trace(asked.table[np.ix_(rich, rich)]) / max(rows.sum(), 1.0))
    before = np.log(np.mean(np.maximum(1, (counts[rich] - 1) // 2)))
    after = np.log(np.mean(counts[rich] - 1))
    if after <= before:
        return _USUAL_EXPONENT
    slope = (np.log(few + 0.01) - np.log(many + 0.01)) / (after - before)
    return float(np.clip(slope, 0.0, 1.0))


def _answered(
    vectors: SupportVectors,
    classes: SupportLabels,
    predict: Predict,
    held: npt.NDArray[np.intp],
) -> npt.NDArray[np.intp]:
    keep = np.setdiff1d(np.arange(len(classes)), held)
    return predict(vectors[keep], classes[keep], vectors[held])


def _made(
    vectors: SupportVectors,
    classes: SupportLabels,
    predict: Predict,
    bank: UnitVectors | None,
    rng: np.random.Generator,
    counts: Counts,
) -> Counts:
    """Queries made around classes of one support, as counts of class given."""
    n_way = len(counts)
    table = np.zeros((n_way, n_way))
    single = np.flatnonzero(counts == 1)
    if not len(single) or n_way < 2:
        return table
    n_made = max(4, min(_MADE_PER_CLASS, _MOST_MADE // len(single)))
    own = np.repeat(single, n_made)
    row_of = np.full(n_way, -1)
    row_of[classes] = np.arange(len(classes))
    near = vectors[row_of[own]]
    other = vectors[row_of[(own + rng.integers(1, n_way, len(own))) % n_way]]
    aside = _LEAN * other + _drawn(bank, near.shape, rng)
    aside = aside - np.einsum("ij,ij->i", aside, near)[:, None] * near
    aside /= np.maximum(np.linalg.norm(aside, axis=1, keepdims=True), 1e-9)
    center, swing = _usual_cosine(bank)
    level = _SAME_CLASS[0] + _SAME_CLASS[1] * rng.standard_normal(len(own))
    cosine = np.clip(center + swing * level, -0.9, 0.98)[:, None]
    queries = (cosine * near + np.sqrt(1.0 - cosine**2) * aside).astype(np.float32)
    np.add.at(table, (own, predict(vectors, classes, queries)), 1.0)
    return table


def _single_error(vectors: SupportVectors, bank: UnitVectors | None, n_way: int) -> float:
    """Usual error were there one support of each class."""
    distinct = _USUAL_DISTINCTNESS
    if bank is not None and len(bank) >= _BANK_ENOUGH:
        center, swing = _usual_cosine(bank)
        distinct = (center - float((vectors @ bank.mean(axis=0)).mean())) / max(swing, 1e-6)
    odds = _LEVEL + _DISTINCT * distinct + _OTHERS * float(np.log(max(n_way - 1, 1) / 9.0))
    return float(1.0 / (1.0 + np.exp(np.clip(odds, -4.0, 4.0))))


def _at_level(made: Counts, level: float) -> Counts:
    """Scale the misses of made queries so that their mean is the level."""
    asked = made.sum(axis=1)
    right = np.diag(made)
    missed = asked - right
    if not missed.sum():
        return made
    wanted = np.minimum(missed * (level * asked.sum() / missed.sum()), asked)
    scaled: Counts = made * (wanted / np.maximum(missed, 1e-9))[:, None]
    np.fill_diagonal(scaled, asked - wanted)
    return scaled


def _guess_weight(level: float) -> float:
    """How many queries the guess is worth."""
    return 1.0 / (_SWING**2 * level * (1.0 - level))


def _evidence(held: Counts, counts: Counts, level: float) -> float:
    """How many queries the overall estimate is worth."""
    single = float((counts == 1).mean())
    # Supports of one class answer for each other, so each class has one less to say.
    tested = max(1.0, float(held.sum(axis=1).clip(max=counts - 1).sum()))
    guessed = _guess_weight(level)
    return 1.0 / (single**2 / guessed + (1.0 - single) ** 2 / tested)


def _drawn(
    bank: UnitVectors | None, shape: tuple[int, ...], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    if bank is not None and len(bank):
        drawn: npt.NDArray[np.float64] = bank[rng.integers(0, len(bank), shape[0])].astype(float)
    else:
        drawn = rng.standard_normal(shape) / np.sqrt(shape[1])
    return drawn


def _usual_cosine(bank: UnitVectors | None) -> tuple[float, float]:
    if bank is None or len(bank) < _BANK_ENOUGH:
        return _USUAL_COSINE
    some = bank[:: max(1, len(bank) // 300)]
    pairs = (some @ some.T)[np.triu_indices(len(some), 1)]
    return float(pairs.mean()), float(pairs.std())


def _errors(
    held: Counts, made: Counts, counts: Counts, exponent: float, level: float
) -> tuple[Counts, Counts]:
    """Expected error of each class at its full number of supports, and the evidence behind it."""
    single = counts == 1
    error = np.zeros(len(counts))
    n_effective = np.ones(len(counts))
    for table, chosen in ((held, ~single), (made, single)):
        asked = table.sum(axis=1)[chosen]
        if not asked.sum():
            continue
        missed = asked - np.diag(table)[chosen]
        # However often it is asked, a class has no more evidence than it has supports.
        weight = np.minimum(asked, counts[chosen])
        # The guess made for one support, carried on to as many as were left, steadies few queries.
        usual = level * float(np.mean(np.maximum(counts[chosen] - 1, 1) ** -_USUAL_EXPONENT))
        n, n_usual = weight.sum(), _guess_weight(level)
        mean = (n * missed.sum() / asked.sum() + n_usual * usual) / (n + n_usual)
        share = missed / np.maximum(asked, 1.0)
        error[chosen] = (weight * share + _SHRINKAGE * mean) / (weight + _SHRINKAGE)
        # The mean of the others moves the estimate, not the certainty about this class.
        n_effective[chosen] = weight + 1.0
    error[~single] *= ((counts[~single] - 1.0) / counts[~single]) ** exponent
    return error, n_effective


def _interval(mean: float, n: float) -> Expected:
    """Wilson's 95 % interval for a share seen in n trials."""
    z = 1.96
    middle = (mean + z * z / (2 * n)) / (1 + z * z / n)
    half = z * float(np.sqrt(mean * (1 - mean) / n + z * z / (4 * n * n))) / (1 + z * z / n)
    # With less than one miss to be expected in n, a class that is always right is no surprise.
    high = 1.0 if n * (1 - mean) < 1 else min(1.0, max(mean, middle + half))
    return Expected(mean, max(0.0, min(mean, middle - half)), high)
