"""What is usual under one encoder: the numbers that supports are screened against.

Most come from the encoder's background bank. What a bank of unlabelled samples cannot tell (how
far two samples of one class lie apart) comes from the encoder's card, measured once per encoder on
labelled material, and from a collection's own supports as soon as it has classes of two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from imprint.errors import InvalidOptionError
from imprint.heads.open_set import thinned

if TYPE_CHECKING:
    from imprint.types import Similarities, UnitVectors

KIND: Final = "screening.v1"
_NEIGHBORS: Final = 10
# A vector may be near this many times as many bank rows as the bank's own worst hub.
_HUB_SLACK: Final = 1.5
_LEAST_HUB_SHARE: Final = 0.10
_FEWEST_BANK_ROWS: Final = 64


@dataclass(frozen=True, slots=True)
class ScreeningCard:
    """Numbers of one encoder, measured on labelled material it was not made from.

    `median` and `spread` describe how much more a genuine sample looks like the other classes than
    like its own, in log-odds, with one example of its class and one other class: the median, and
    the way from there to the ninetieth percentile. `duplicate` is the cosine from which on two
    samples say the same thing; `stable` the cosine a sample keeps with itself when it is changed a
    little. The defaults are cautious: for encoders nobody has measured.
    """

    median: float = -1.2
    spread: float = 2.2
    duplicate: float = 0.985
    stable: float = 0.0

    @classmethod
    def from_json(cls, shape: dict[str, Any] | None) -> ScreeningCard:
        """Read a card; None gives the cautious one.

        Raises:
            InvalidOptionError: it is of another kind or a number is missing.
        """
        if shape is None:
            return cls()
        names = ("median", "spread", "duplicate", "stable")
        if shape.get("kind") != KIND or not all(isinstance(shape.get(n), float) for n in names):
            raise InvalidOptionError(f"expected a {KIND} card with {', '.join(names)} as numbers")
        return cls(**{name: shape[name] for name in names})


@dataclass(frozen=True, slots=True)
class Yardstick:
    """A card together with what the bank tells.

    `between` is the standard deviation of the cosine between two bank samples once their mean is
    taken off; `reach` the similarity at which a vector becomes one of a bank row's ten nearest,
    `hub_limit` the share of bank rows for which it may be.
    """

    card: ScreeningCard
    bank: UnitVectors | None = field(repr=False)
    between: float
    reach: npt.NDArray[np.float32] | None = field(repr=False)
    hub_limit: float

    @classmethod
    def of(cls, card: ScreeningCard, background: UnitVectors | None, dim: int) -> Yardstick:
        """Measure a bank."""
        bank = thinned(background, dim)
        if bank is None or len(bank) < _FEWEST_BANK_ROWS:
            return cls(card, None, max(dim**-0.5, 0.1), None, 1.0)
        near = bank @ bank.T
        np.fill_diagonal(near, -1.0)
        reach = np.partition(near, -_NEIGHBORS, axis=1)[:, -_NEIGHBORS]
        worst = float((near >= reach[:, None]).mean(axis=0).max())
        limit = max(_LEAST_HUB_SHARE, _HUB_SLACK * worst)
        return cls(card, bank, _between(bank), reach, limit)


def _between(bank: UnitVectors) -> float:
    centered = bank - bank.mean(axis=0)
    lengths = np.maximum(np.linalg.norm(centered, axis=1, keepdims=True), 1e-9)
    near: Similarities = (centered / lengths) @ (centered / lengths).T
    return float(near[np.triu_indices(len(near), 1)].std())
