"""Fit a calibration: thresholds, probability of being known, and sharpness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from imprint.heads.calibration import Calibration, Values

if TYPE_CHECKING:
    from collections.abc import Callable

    from imprint.heads.protocol import Head
    from imprint.heads.simulation.contests import Contests
    from imprint.heads.simulation.episodes import Asked
    from imprint.heads.supports import SupportSet
    from imprint.types import Scores

# Made queries count as this many classes (strangers) or queries (known) beside the simulated.
_MADE_CLASSES, _MADE_QUERIES = 3.0, 12.0
# Thresholds are raised by this many standard errors, the error of so many classes and a few more:
# which classes were taught decides the rate more than how many examples there are.
_CAUTION, _CAUTION_CLASSES = 2.05, 8.0
# log-sharpness is known beforehand to within a half; neighboring held-out queries are alike.
_SHARPNESS_SWING, _ALIKE = 0.5, 1.5
_SHARPNESS_FIRST, _SHARPNESS_GROWTH, _HELD_OUT_RISE = 1.64, 0.11, 0.15
# Against few classes confidence rests on fewer comparisons: so much less sharp, at the least.
_FEW_CLASSES, _LEAST_SHARP = 0.9, 0.75
# Strangers end at slope times known plus offset, each with what the contest's weight adds: measured
# on seven sets of two encoders (see the record), and held within bounds of what is seen here.
_SLOPE, _OFFSET, _WITHIN = (0.93, -0.4), (0.25, 1.1), (0.7, 1.45)
_HELD_OUT_LOSS, _USUAL_RATE = 0.75, 0.05
_MOST_TRUST, _TRUST_QUERIES = 0.85, 20.0
_SPREAD_PRIOR: Final = 6.0
_SPREAD_CLASSES: Final = 4
_SEARCH_STEPS: Final = 14


class Sharpness(NamedTuple):
    """Best multiplier of scores, and each held-out query's log-loss under it."""

    value: float
    losses: npt.NDArray[np.float64]


class _Level(NamedTuple):
    mean: float
    swing: float


def fit_calibration(
    contests: Contests, asked: Asked, false_accept_rate: float, *, experienced: bool
) -> Calibration:
    """Set thresholds and the probability of being known from what simulated queries brought.

    `experienced`: the encoder comes with a bank, so its evidence is of the scale of the record.
    """
    n_way = contests.supports.n_way
    strangers = _strangers(asked, n_way)
    known = _known(asked.known, asked.made_known, strangers)
    impostors = _impostors(asked)
    own = _known(asked.own, asked.made_own, impostors)
    swing = (strangers.swing + known.swing) / 2
    threshold = _limit(strangers, false_accept_rate, n_way)
    if experienced and len(asked.known) and len(asked.strangers):
        trust = _MOST_TRUST * len(asked.known) / (len(asked.known) + _TRUST_QUERIES)
        told = _told_by_known(contests, asked.known, strangers, false_accept_rate)
        threshold = trust * told + (1 - trust) * threshold
    return Calibration(
        head=contests.head.name,
        false_accept_rate=false_accept_rate,
        sharpness=contests.sharpness,
        contest_weight=contests.weight,
        known_midpoint=(known.mean + strangers.mean) / 2,
        known_slope=(known.mean - strangers.mean) / swing**2,
        threshold=threshold,
        verify_midpoint=(own.mean + impostors.mean) / 2,
        verify_threshold=_limit(impostors, false_accept_rate, n_way),
        n_supports=contests.supports.n_rows,
        n_way=n_way,
    )


def fit_sharpness(
    supports: SupportSet,
    head: Head,
    held: list[tuple[Scores, npt.NDArray[np.intp]]],
    own: tuple[Scores, npt.NDArray[np.intp]],
    tight: float = 1.0,
) -> Sharpness:
    """Find the multiplier under which held-out supports are least surprising.

    A guess from how far scores lie apart holds it in place while few are held out.

    Args:
        supports: what the head will answer from.
        head: the head.
        held: scores and classes of held-out supports, one pair per split.
        own: scores and classes of supports not held out; only other classes' scores are used.
        tight: share of the usual sharpness to begin from.
    """
    n_shot = float(np.mean(supports.counts)) if supports.n_way else 1.0
    spread = _spread(head, held or [own])
    first = tight * _SHARPNESS_FIRST * max(_LEAST_SHARP, 1 - _FEW_CLASSES / max(supports.n_way, 1))
    guess = float(np.log(first * n_shot**_SHARPNESS_GROWTH / spread))
    if not held or supports.n_way < 2:
        return Sharpness(float(np.exp(guess)), np.empty(0))
    # A held-out query meets one support fewer than a real one will.
    rise = float(np.log1p(_HELD_OUT_RISE / max(n_shot - 1, 1)))

    def cost(value: float) -> float:
        off = (value - guess) / _SHARPNESS_SWING
        return float(_losses(held, np.exp(value - rise)).sum()) / _ALIKE + off * off / 2

    best = _smallest(cost, guess - 2.0, guess + 2.0)
    return Sharpness(float(np.exp(best)), _losses(held, np.exp(best - rise)))


def _spread(head: Head, held: list[tuple[Scores, npt.NDArray[np.intp]]]) -> float:
    """How far one query's scores for other classes lie apart; the head's usual while unseen."""
    total, n = _SPREAD_PRIOR * float(np.log(head.spread)), _SPREAD_PRIOR
    for scores, own in held:
        if scores.shape[1] < _SPREAD_CLASSES:
            continue
        others = scores.astype(np.float64)
        others[np.arange(len(own)), own] = np.nan
        swings = np.maximum(np.nanstd(others, axis=1), 1e-6 * head.spread)
        total, n = total + float(np.log(swings).sum()), n + len(swings)
    return float(np.exp(total / n))


def _losses(
    held: list[tuple[Scores, npt.NDArray[np.intp]]], sharpness: float
) -> npt.NDArray[np.float64]:
    losses = []
    for scores, own in held:
        logits = sharpness * (scores - scores.max(axis=1, keepdims=True)).astype(np.float64)
        losses.append(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(own)), own])
    return np.concatenate(losses)


def _strangers(asked: Asked, n_way: int) -> _Level:
    """Level of queries of no class: left-out classes, and made ones as if of a few classes."""
    made = _Level(float(asked.made_strangers.mean()), float(asked.made_strangers.std()) + 1e-6)
    if not len(asked.strangers):
        return made
    weights = 1.0 / np.bincount(asked.classes, minlength=n_way)[asked.classes]
    mean = float(np.average(asked.strangers, weights=weights))
    square = float(np.average((asked.strangers - mean) ** 2, weights=weights))
    # Made strangers know only one class, so they can tell when to expect more, never less.
    level = (n_way * mean + _MADE_CLASSES * max(mean, made.mean)) / (n_way + _MADE_CLASSES)
    swing = (n_way * square + _MADE_CLASSES * made.swing**2) / (n_way + _MADE_CLASSES)
    return _Level(level, float(np.sqrt(swing)) + 1e-6)


def _known(seen: Values, made: Values, strangers: _Level) -> _Level:
    """Level of queries of a taught class: held-out supports, and made queries as a few more."""
    total = len(seen) + _MADE_QUERIES
    mean = (float(seen.sum()) + _MADE_QUERIES * float(made.mean())) / total
    square = float(((seen - mean) ** 2).sum())
    square += _MADE_QUERIES * float(((made - mean) ** 2).mean())
    swing = float(np.sqrt(square / total)) + 1e-6
    return _Level(max(mean, strangers.mean + 0.3 * strangers.swing), swing)


def _impostors(asked: Asked) -> _Level:
    values = asked.impostors if len(asked.impostors) > 1 else asked.made_impostors
    return _Level(float(values.mean()), float(values.std()) + 1e-6)


def _limit(level: _Level, rate: float, n_way: int) -> float:
    """Evidence exceeded by strangers at the rate, with caution for having seen few classes."""
    point = upper_point(rate)
    error = float(np.sqrt((1 + point * point / 2) / (n_way + _CAUTION_CLASSES)))
    return level.mean + level.swing * (point + _CAUTION * error)


def _told_by_known(contests: Contests, known: Values, strangers: _Level, rate: float) -> float:
    """Threshold as held-out known queries tell it.

    Which classes were taught moves what strangers among them bring, by chance more than what
    strangers of other classes will. Known queries move less, and where strangers end below them
    is much alike from collection to collection.
    """
    n_shot = float(np.mean(contests.supports.counts))
    seen = float(known.mean()) + _HELD_OUT_LOSS / n_shot
    slope, offset = (fixed + per * contests.weight for fixed, per in (_SLOPE, _OFFSET))
    point = upper_point(rate)
    above = (slope * seen + offset - strangers.mean) / strangers.swing
    above += point - upper_point(_USUAL_RATE)
    least, most = (point * bound for bound in _WITHIN)
    return strangers.mean + strangers.swing * min(max(above, least), most)


def _smallest(cost: Callable[[float], float], low: float, high: float) -> float:
    """Golden-section search; the cost has one valley."""
    ratio = (float(np.sqrt(5.0)) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = cost(left), cost(right)
    for _ in range(_SEARCH_STEPS):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = cost(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = cost(right)
    return (low + high) / 2


def upper_point(rate: float) -> float:
    """Point of the standard normal exceeded with probability `rate` (Hastings 1955)."""
    tail = min(rate, 1 - rate)
    t = float(np.sqrt(-2 * np.log(max(tail, 1e-12))))
    top = 2.515517 + 0.802853 * t + 0.010328 * t * t
    bottom = 1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t**3
    point = t - top / bottom
    return point if rate <= 0.5 else -point
