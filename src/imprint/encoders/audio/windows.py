"""How a recording is cut for the network: padded when short, in overlapping windows when long."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from imprint.encoders.audio.resample import resampled
from imprint.errors import InvalidOptionError

if TYPE_CHECKING:
    from imprint.types import Sound, Waveform


@dataclass(frozen=True, slots=True)
class SoundRecipe:
    """What is done to a recording before the network hears it; the version hash covers all of it.

    A recording is brought to `rate_hz` and gets `around_s` of silence on both sides, more when it
    is shorter than `least_s`. Longer than `window_s`, it is heard in windows of that length that
    lie at most `step_s` apart; windows more than `quiet_db` below the loudest are left out, and the
    vector is the mean direction of the others.
    """

    rate_hz: int = 16_000
    around_s: float = 0.08
    least_s: float = 0.64
    window_s: float = 6.0
    step_s: float = 3.0
    quiet_db: float = 40.0
    resampling: str = "spectrum.v1"

    def __post_init__(self) -> None:
        if self.resampling != "spectrum.v1":
            raise InvalidOptionError("the card's resampling may only be spectrum.v1")
        if not (self.rate_hz > 0 and 0 < self.step_s <= self.window_s and self.around_s >= 0):
            raise InvalidOptionError(
                "the card's preprocessing needs rate_hz above 0 and step_s within 0 .. window_s"
            )

    @classmethod
    def from_json(cls, shape: dict[str, Any]) -> SoundRecipe:
        """Read the `preprocessing` of a card.

        Raises:
            InvalidOptionError: a field is unknown or out of range.
        """
        if unknown := sorted(set(shape) - {one.name for one in fields(cls)}):
            raise InvalidOptionError(f"the card's preprocessing has unknown fields: {unknown}")
        return cls(**shape)

    def to_json(self) -> dict[str, Any]:
        """What a card holds, and what the version hash is taken over."""
        return asdict(self)


def windows(sound: Sound, recipe: SoundRecipe) -> list[Waveform]:
    """The stretches of a recording the network hears, each (n_frames,) float32; at least one."""
    waveform = resampled(sound.waveform, sound.rate_hz, recipe.rate_hz)
    size = round(recipe.window_s * recipe.rate_hz)
    if len(waveform) <= size:
        return [_padded(waveform, recipe)]
    step = round(recipe.step_s * recipe.rate_hz)
    n_windows = 1 - (size - len(waveform)) // step
    starts = np.linspace(0, len(waveform) - size, n_windows).round().astype(int)
    cuts = [waveform[start : start + size] for start in starts]
    power = np.array([np.mean(np.square(cut, dtype=np.float64)) for cut in cuts])
    heard = power >= power.max() * 10 ** (-recipe.quiet_db / 10)
    return [_padded(cut, recipe) for cut, loud in zip(cuts, heard, strict=True) if loud]


def _padded(waveform: Waveform, recipe: SoundRecipe) -> Waveform:
    around = round(recipe.around_s * recipe.rate_hz)
    least = round(recipe.least_s * recipe.rate_hz)
    missing = max(2 * around, least - len(waveform))
    return np.pad(waveform, (missing // 2, missing - missing // 2))
