"""Limits of the quality checks; a collection's policy may set any of them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from imprint.errors import InvalidOptionError


@dataclass(frozen=True, slots=True)
class QualityLimits:
    """What a sample needs to have to be taught without a person looking at it first.

    Images: `image_side_px` is the shorter side; `image_aspect_ratio` longer to shorter side;
    `image_contrast` the standard deviation of brightness (0 .. 0.5); `image_detail` the sharpness:
    variance of the Laplacian of brightness at a side of 64 px, over the variance of brightness;
    `image_clipped` the share of pixels that are pure black or pure white in a picture of more than
    two tones. Texts: `text_letters` counts letters, digits and symbols; `text_repetition` is the
    share of the text in runs of one repeated character; `text_boilerplate` the share of its words
    that repeat others; `text_scripts` the share of letters outside the two main scripts.
    Recordings: `audio_speech_s` is the length that is not silence; `audio_silence` the share that
    is; `audio_clipped` the share of frames at full scale; `audio_noise_db` the level of the loudest
    tenth of the recording over that of the quietest.
    """

    image_side_px: float = 12.0
    image_aspect_ratio: float = 12.0
    image_contrast: float = 0.012
    image_detail: float = 0.03
    image_clipped: float = 0.97
    text_letters: float = 1.0
    text_repetition: float = 0.5
    text_boilerplate: float = 0.85
    text_scripts: float = 0.3
    audio_speech_s: float = 0.06
    audio_silence: float = 0.97
    audio_clipped: float = 0.08
    audio_noise_db: float = 1.5

    @classmethod
    def of(cls, chosen: dict[str, Any] | None) -> QualityLimits:
        """Read limits given as a mapping; absent ones keep their defaults.

        Raises:
            InvalidOptionError: no such limit, or one that is not a number of zero or more.
        """
        wanted = dict(chosen or {})
        known = {f.name for f in fields(cls)}
        for name, value in wanted.items():
            if name not in known:
                raise InvalidOptionError(
                    f"unknown quality limit {str(name)[:60]!r}; known are "
                    f"{', '.join(sorted(known))}"
                )
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not 0 <= value <= 1e6:
                raise InvalidOptionError(f"quality limit {name} must be within 0 .. 1,000,000")
        return cls(**wanted)
