"""The checks of one sample, whatever its modality: (sample, limits) to checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imprint.intake.quality.audio import audio_checks
from imprint.intake.quality.image import image_checks
from imprint.intake.quality.text import text_checks
from imprint.types import Sound

if TYPE_CHECKING:
    from imprint.intake.quality.limits import QualityLimits
    from imprint.types import Check, Sample


def quality_checks(sample: Sample, limits: QualityLimits) -> tuple[Check, ...]:
    """Measure a decoded sample: every check with its value, its limit and what to do."""
    if isinstance(sample.value, str):
        return text_checks(sample.value, limits)
    if isinstance(sample.value, Sound):
        return audio_checks(sample.value, limits)
    return image_checks(sample.value, limits)
