"""Which generated samples may be used: near their own class, clear of others, no mere copies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from imprint.errors import InvalidOptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.types import UnitVectors

Names = npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class ScreenLimits:
    """Cosines a generated vector has to keep.

    `least_margin`: how much nearer its own class's nearest real support must be than any other
    class's. `most_alike`: from here on it is a near copy of a real support and adds nothing.
    `least_alike`: below this it has left its class behind.
    """

    least_margin: float = 0.02
    most_alike: float = 0.995
    least_alike: float = 0.2

    def __post_init__(self) -> None:
        if not -1 <= self.least_alike < self.most_alike <= 1:
            raise InvalidOptionError("least_alike must be below most_alike, both within -1 .. 1")


class Screened(NamedTuple):
    """What was measured of each generated vector, and which are kept.

    `own` is the largest cosine with a real support of the wanted class, `margin` how far that is
    above the largest with any other class (infinite where there is no other class).
    """

    kept: npt.NDArray[np.bool_]
    own: npt.NDArray[np.float32]
    margin: npt.NDArray[np.float32]
    n_of_another_class: int
    n_too_close_to_another: int
    n_copies: int
    n_too_far: int


def screened(
    made: UnitVectors,
    wanted: Sequence[str],
    real: UnitVectors,
    real_labels: Sequence[str],
    limits: ScreenLimits | None = None,
) -> Screened:
    """Judge generated vectors by the real supports; each refused one counts under one reason.

    Raises:
        InvalidOptionError: a wanted class has no real support to be judged by.
    """
    limits = limits or ScreenLimits()
    own, other = _nearest(made, np.asarray(wanted), real, np.asarray(real_labels))
    if len(own) and not np.isfinite(own).all():
        raise InvalidOptionError("every class to generate for needs a real support")
    margin = own - other
    reasons = np.select(
        [
            margin < 0,
            margin < limits.least_margin,
            own >= limits.most_alike,
            own < limits.least_alike,
        ],
        [1, 2, 3, 4],
        default=0,
    )
    counts = np.bincount(reasons, minlength=5).tolist()
    return Screened(reasons == 0, own, margin, *counts[1:])


def _nearest(
    made: UnitVectors, wanted: Names, real: UnitVectors, labels: Names
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Largest cosine with a real support of the wanted class, and with one of any other."""
    cosines = made @ real.T
    same = wanted[:, None] == labels[None, :]
    lowest = np.float32(-np.inf)
    own = np.where(same, cosines, lowest).max(axis=1, initial=lowest)
    other = np.where(same, lowest, cosines).max(axis=1, initial=lowest)
    return own, other
