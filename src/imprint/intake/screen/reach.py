"""Would a support draw queries of other classes to its own?

Asked in three ways, because at first there is nothing but the encoder's bank: how many bank samples
it is among the nearest of, how near it is to all other classes at once, and, as soon as there
are queries and classes of two, how many of them would change sides.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from imprint.intake.screen.fit import Frame
    from imprint.intake.screen.yardstick import Yardstick
    from imprint.types import UnitVector, UnitVectors

_MOST_SUPPORTS: Final = 256
_FEWEST_WITNESSES: Final = 20
_FEWEST_OF_CLASS: Final = 3
_FEWEST_CLASSES: Final = 5
# A class of fewer supports says little about how alike its samples are.
_FEWEST_TO_COMPARE: Final = 6
# From the median absolute deviation to a standard deviation.
_ROBUST, _LEAST_DEVIATION = 1.4826, 0.03
# Spread of a prototype's mean cosine with the others, where few classes say little about it.
_PRIOR_CLASSES, _PRIOR_CENTRALITY = 6.0, 0.08


class Drawn(NamedTuple):
    """Shares (0 .. 1) that stand nearer to a class than to their own.

    `share` is that of all others' witnesses, `of_class` that of the supports of the one class that
    loses most.
    """

    share: float
    of_class: float
    n_witnesses: int = 0


NOTHING: Final = Drawn(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Supports and recent queries whose class is known, and how near they are to it.

    `owner` is the class number; `near` the centered cosine with that class, a support being left
    out of its own; `from_support` tells supports from queries.
    """

    vectors: UnitVectors = field(repr=False)
    owner: npt.NDArray[np.intp]
    near: npt.NDArray[np.float32]
    from_support: npt.NDArray[np.bool_]
    usual: Drawn = NOTHING

    @classmethod
    def of(
        cls,
        frame: Frame,
        vectors: UnitVectors,
        row_class: npt.NDArray[np.intp],
        queries: UnitVectors,
    ) -> Witnesses:
        """Gather from a state of a collection. Queries count for the class nearest to them."""
        kept = np.flatnonzero((row_class >= 0) & (frame.counts[row_class] > 1))
        if len(kept) > _MOST_SUPPORTS:
            kept = kept[np.linspace(0, len(kept) - 1, _MOST_SUPPORTS).astype(np.intp)]
        owner = row_class[kept]
        mine = frame.near_own_rest(vectors[kept], owner)
        asked = frame.centered(queries) @ frame.prototypes.T
        answered = asked.argmax(axis=1) if asked.shape[1] else np.zeros(len(queries), np.intp)
        best = asked.max(axis=1, initial=-1.0)
        gathered = cls(
            frame.centered(np.concatenate([vectors[kept], queries])),
            np.concatenate([owner, answered]).astype(np.intp),
            np.concatenate([mine, best]).astype(np.float32),
            np.arange(len(kept) + len(queries)) < len(kept),
        )
        return replace(gathered, usual=gathered._worst(frame))

    def drawn(self, frame: Frame, vector: UnitVector, number: int | None) -> Drawn:
        """How many stand nearer to class `number` once `vector` joined it (None: a new class)."""
        return self._drawn(self.vectors @ frame.joined(vector, number), number)

    def _worst(self, frame: Frame) -> Drawn:
        """What the classes draw from each other as it is: the worst of them."""
        near = self.vectors @ frame.prototypes.T
        each = [self._drawn(near[:, c], c) for c in range(near.shape[1])]
        return Drawn(
            max((d.share for d in each), default=0.0), max((d.of_class for d in each), default=0.0)
        )

    def _drawn(self, near: npt.NDArray[np.float32], number: int | None) -> Drawn:
        others = self.owner != (-1 if number is None else number)
        n_others = int(others.sum())
        turned = others & (near > self.near)
        share = float(turned.sum()) / n_others if n_others >= _FEWEST_WITNESSES else 0.0
        return Drawn(share, self._worst_class(turned, others), n_others)

    def lost(
        self, frame: Frame, vector: UnitVector, number: int | None
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """By class: how many were asked, and how many would change sides because of `vector`."""
        n_way = len(frame.counts)
        others = self.owner != (-1 if number is None else number)
        turned = others & (self.vectors @ frame.joined(vector, number) > self.near)
        if number is not None:
            turned &= self.vectors @ frame.prototypes[number] <= self.near
        asked = np.bincount(self.owner[others], minlength=n_way)
        return asked, np.bincount(self.owner[turned], minlength=n_way)

    def strangeness(self, near: float, number: int) -> float:
        """How far a cosine with its class lies under that class's own, in robust deviations."""
        own = self.near[self.from_support & (self.owner == number)]
        if len(own) < _FEWEST_TO_COMPARE:
            return 0.0
        middle = float(np.median(own))
        deviation = _ROBUST * float(np.median(np.abs(own - middle)))
        return (middle - near) / max(deviation, _LEAST_DEVIATION)

    def _worst_class(self, turned: npt.NDArray[np.bool_], others: npt.NDArray[np.bool_]) -> float:
        own = others & self.from_support
        size = int(self.owner.max(initial=0)) + 1
        totals = np.bincount(self.owner[own], minlength=size)
        lost = np.bincount(self.owner[own & turned], minlength=size)
        shares = np.where(totals >= _FEWEST_OF_CLASS, lost / np.maximum(totals, 1), 0.0)
        return float(shares.max(initial=0.0))


def bank_share(vector: UnitVector, yardstick: Yardstick) -> float:
    """Share of bank samples of which this vector is among the ten nearest."""
    if yardstick.bank is None or yardstick.reach is None:
        return 0.0
    return float((yardstick.bank @ vector >= yardstick.reach).mean())


def centrality(vector: UnitVector, frame: Frame, number: int | None) -> float:
    """How much nearer it is to the other classes at once than classes are, in deviations."""
    plain = frame.plain
    n_way = len(plain)
    if n_way < _FEWEST_CLASSES:
        return 0.0
    near = plain @ vector
    kept = np.arange(n_way) != (-1 if number is None else number)
    usual, swing = frame.centralities
    pooled = np.sqrt(
        (swing**2 * n_way + _PRIOR_CENTRALITY**2 * _PRIOR_CLASSES) / (n_way + _PRIOR_CLASSES)
    )
    return float((near[kept].mean() - usual) / pooled)
