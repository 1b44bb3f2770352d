"""Does a sample look like the class it is taught under, or like another one?

The score is the log-odds of all other classes against its own. Cosines with the prototypes are
taken after the center of the collection is taken off, less half of what a prototype is near to
bank samples of no class, in units of how far classes usually lie apart.

The limit is not a number found by looking at mistakes. Over eleven labelled sets, two encoders,
one to twenty examples and five to thirty classes, the way from the median of genuine samples to
their 97th percentile was 1.35 to 1.75 times that to their 90th. So the two are measured (with every
support of a class of two or more asked as if it were new; while these are few, the encoder's card
counts beside them) and the limit extrapolated. Up to a tenth of wrong labels hardly moves it, and
neither does the fact that held supports are not among those asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from imprint.heads.supports import SupportSet
    from imprint.intake.screen.yardstick import ScreeningCard, Yardstick
    from imprint.types import UnitVector, UnitVectors

Values = npt.NDArray[np.float64]

# Prototypes in the running besides the sample's own class: the rest adds nothing to the odds.
_RIVALS: Final = 24
_BANK_NEAREST: Final = 10
_BANK_WEIGHT: Final = 0.5
# The bank's spread counts as this many pairs of classes beside those of the collection.
_PRIOR_PAIRS: Final = 20.0
_MOST_SPREAD_CLASSES: Final = 200
# Where classes lie far apart every sample is sure of its own. It takes odds of two to one against
# it, however unusual that is, to doubt a label.
_LEAST_ODDS: Final = 0.7
# The card counts as this many supports asked about themselves.
_PRIOR_ASKED: Final = 28.0
_MOST_ASKED: Final = 160
# Median of genuine samples: rises so fast with the logarithm of the number of other classes.
_CLASSES_SLOPE: Final = 1.3
_ODDS_FLOOR: Final = 1e-9
_PRESSED_RATE: Final = 0.2
# Where there are fewer classes than this the limit is raised, by up to so many spreads.
_FEW_CLASSES, _FEW_CAUTION = 6, 1.2
# The tail is read off at this quantile, which lies so far on the way to the ninetieth percentile.
_TAIL_AT, _TAIL_SHARE = 0.85, 0.80
# Held supports that count as genuine ones, at the most, beside those asked.
_MOST_MISSING: Final = 0.08
# Way from the median to the percentile, in ways from the median to the ninetieth.
_REACH_OF: Final = (
    (0.5, 0.0),
    (0.2, 0.64),
    (0.10, 1.0),
    (0.05, 1.29),
    (0.03, 1.48),
    (0.02, 1.62),
    (0.01, 1.90),
)
_REACH_FAR: Final = ((0.005, 2.20), (0.002, 2.60), (0.001, 2.90))


@dataclass(frozen=True, slots=True)
class Frame:
    """Prototypes of one state of a collection, centered and ready to compare with."""

    labels: tuple[str, ...]
    center: npt.NDArray[np.float32]
    plain: UnitVectors
    prototypes: UnitVectors
    counts: npt.NDArray[np.intp]
    sums: tuple[npt.NDArray[np.float64], ...]
    owed: npt.NDArray[np.float32]
    scale: float
    centralities: tuple[float, float]

    @classmethod
    def of(cls, supports: SupportSet, yardstick: Yardstick) -> Frame:
        """Center a state. O(classes x bank rows): worked out anew when a tenth has changed."""
        center, plain = supports.center(), supports.prototypes.matrix()
        prototypes = _centered(plain, center)
        owed = np.zeros(len(prototypes), dtype=np.float32)
        if yardstick.bank is not None and len(prototypes):
            owed = _owed(prototypes, _centered(yardstick.bank, center))
        scale = _scale(prototypes, yardstick.between)
        return cls(
            supports.labels,
            center,
            plain,
            prototypes,
            supports.counts,
            supports.sums,
            owed,
            scale,
            _centralities(plain),
        )

    def log_odds(self, vectors: UnitVectors, own: npt.NDArray[np.intp]) -> Values:
        """Log-odds of the other classes against each vector's own."""
        near = _centered(vectors, self.center) @ self.prototypes.T - self.owed
        return _log_odds(near / self.scale, own)

    def left_out(self, vectors: UnitVectors, own: npt.NDArray[np.intp]) -> Values:
        """The same for supports, each asked with itself taken out of its class."""
        near = _centered(vectors, self.center) @ self.prototypes.T - self.owed
        near[np.arange(len(own)), own] = self.near_own_rest(vectors, own) - self.owed[own]
        return _log_odds(near / self.scale, own)

    def near_own_rest(
        self, vectors: UnitVectors, own: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.float32]:
        """Centered cosine of supports with the rest of their class."""
        if not len(own):
            return np.zeros(0, dtype=np.float32)
        sums = np.stack([self.sums[c] for c in own.tolist()]) - vectors
        lengths = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
        rest = _centered((sums / lengths).astype(np.float32), self.center)
        near: npt.NDArray[np.float32] = (_centered(vectors, self.center) * rest).sum(axis=1)
        return near

    def near_class(self, vector: UnitVector, number: int) -> float:
        """Centered cosine with one prototype."""
        return float(_centered(vector[None], self.center)[0] @ self.prototypes[number])

    def centered(self, vectors: UnitVectors) -> UnitVectors:
        """Take the center off, and return to the unit sphere."""
        return _centered(vectors, self.center)

    def joined(self, vector: UnitVector, number: int | None) -> UnitVector:
        """Centered prototype of a class with one more support; of a new class, the support."""
        total = vector if number is None else self.sums[number] + vector
        length = max(float(np.linalg.norm(total)), 1e-9)
        joined: UnitVector = _centered((total / length).astype(np.float32)[None], self.center)[0]
        return joined


@dataclass(frozen=True, slots=True)
class Level:
    """Where genuine samples of one collection lie: see `limit`.

    `middle` and `tail` are the median and ninetieth percentile of how far supports stand from what
    the card expects of them, in units of what it expects; 0 and 1 is what the card says.
    """

    median: float
    spread: float
    middle: float = 0.0
    tail: float = 1.0
    n_asked: int = 0

    @classmethod
    def of(
        cls,
        frame: Frame,
        vectors: UnitVectors,
        own: npt.NDArray[np.intp],
        card: ScreeningCard,
        n_held: int = 0,
    ) -> Level:
        """Ask supports about themselves; only those of classes of two or more can be asked."""
        level = cls(card.median, card.spread)
        able = np.flatnonzero(frame.counts[own] > 1)
        if not len(able) or len(frame.counts) < 2:
            return level
        step = -(-len(able) // _MOST_ASKED)
        kept = able[::step]
        odds = frame.left_out(vectors[kept], own[kept])
        expected = [level.expected(int(frame.counts[c]) - 1, len(frame.counts)) for c in own[kept]]
        middles, spreads = np.array(expected).T
        return level.fitted((odds - middles) / spreads, n_held / len(able))

    def fitted(self, residuals: Values, held_ratio: float = 0.0) -> Level:
        """This level with a collection's own residuals beside the card.

        Supports that are held are not among those asked. Most of them are genuine where nobody
        attacks, so a few count as lying above all that were asked; otherwise the limit would sink
        with every one it holds.
        """
        n, prior = len(residuals), _PRIOR_ASKED
        missing = min(held_ratio, _MOST_MISSING)
        low = min(0.5 * (1 + missing), 1.0)
        high = min(_TAIL_AT * (1 + missing), 1.0)
        median, upper = np.quantile(residuals, [low, high])
        middle = n * float(median) / (n + prior)
        tail = middle + (n * float(upper - median) / _TAIL_SHARE + prior) / (n + prior)
        return Level(self.median, self.spread, middle, tail, n)

    def expected(self, n_own: int, n_way: int) -> tuple[float, float]:
        """Median and spread the card expects with so many examples of the class."""
        middle = self.median + _CLASSES_SLOPE * np.log(max(n_way - 1, 1))
        middle -= 0.45 * (1 - 1 / max(n_own, 1))
        return float(middle), self.spread * (0.7 + 0.3 * max(n_own, 1) ** -0.5)

    def limit(self, n_own: int, n_way: int, rate: float) -> float:
        """Log-odds that only this share of genuine samples exceeds."""
        middle, spread = self.expected(n_own, n_way)
        beyond = self.middle + (self.tail - self.middle) * reach_of(rate)
        # Against few classes, and before any support could be asked, one loose class decides all.
        few = _FEW_CAUTION * max(_FEW_CLASSES - n_way, 0) / _FEW_CLASSES
        beyond += few * _PRIOR_ASKED / (self.n_asked + _PRIOR_ASKED)
        return max(middle + spread * beyond, _LEAST_ODDS)


def held_rate(n_own: int, *, pressed: bool = False) -> float:
    """Share of genuine samples that may be held: a fortieth up to five examples, then less.

    A fifth while so much is held that an attack is likely.
    """
    if pressed:
        return _PRESSED_RATE
    return float(np.clip(0.027 * (5 / max(n_own, 5)) ** 0.5, 0.004, 0.027))


def reach_of(rate: float) -> float:
    """Way from the median to the percentile exceeded at this rate; 1 is the ninetieth."""
    table = np.array(_REACH_OF + _REACH_FAR)
    return float(np.interp(np.log(rate), np.log(table[::-1, 0]), table[::-1, 1]))


def _log_odds(near: npt.NDArray[np.float32], own: npt.NDArray[np.intp]) -> Values:
    rows = np.arange(len(near))
    mine = near[rows, own].astype(np.float64)
    others = near.astype(np.float64)
    others[rows, own] = -np.inf
    if others.shape[1] > _RIVALS:
        others = np.partition(others, -_RIVALS, axis=1)[:, -_RIVALS:]
    top = others.max(axis=1)
    against: Values = top + np.log(np.exp(others - top[:, None]).sum(axis=1)) - mine
    return against


def _centered(vectors: UnitVectors, center: npt.NDArray[np.float32]) -> UnitVectors:
    moved = vectors - center
    lengths = np.linalg.norm(moved, axis=1, keepdims=True)
    unit: UnitVectors = (moved / np.maximum(lengths, 1e-9)).astype(np.float32)
    return unit


def _owed(prototypes: UnitVectors, bank: UnitVectors) -> npt.NDArray[np.float32]:
    k = min(_BANK_NEAREST, len(bank))
    near = np.partition(prototypes @ bank.T, -k, axis=1)[:, -k:]
    owed: npt.NDArray[np.float32] = (_BANK_WEIGHT * near.mean(axis=1)).astype(np.float32)
    return owed


def _scale(prototypes: UnitVectors, between: float) -> float:
    """How far classes lie apart: the collection's own spread beside the bank's."""
    step = -(-len(prototypes) // _MOST_SPREAD_CLASSES) if len(prototypes) else 1
    some = prototypes[::step]
    if len(some) < 3:
        return between
    pairs = (some @ some.T)[np.triu_indices(len(some), 1)]
    own = float(pairs.var()) * len(pairs)
    return float(np.sqrt((own + between**2 * _PRIOR_PAIRS) / (len(pairs) + _PRIOR_PAIRS)))


def _centralities(prototypes: UnitVectors) -> tuple[float, float]:
    """Mean cosine of a prototype with all others: average over classes, and its deviation."""
    n_way = len(prototypes)
    if n_way < 2:
        return 0.0, 0.0
    means = (prototypes @ prototypes.sum(axis=0) - 1.0) / (n_way - 1)
    return float(means.mean()), float(means.std())
