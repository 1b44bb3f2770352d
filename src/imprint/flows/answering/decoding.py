"""From a source to a sample of a collection, masked as its owner decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imprint.intake.decode import to_sample
from imprint.intake.masking import masked

if TYPE_CHECKING:
    from imprint.flows.answering.live import LiveCollection
    from imprint.types import Sample


def sample_of(live: LiveCollection, source: Any, media_type: str | None = None) -> Sample:
    """Decode a source and mask it: nothing further on sees what was masked.

    Raises:
        InvalidInputError: the source is refused.
    """
    sample = to_sample(source, live.row.modality, media_type=media_type)
    return masked(sample, live.policy.mask, live.mask_hook)
