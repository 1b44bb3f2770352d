"""From sources with labels to lessons: decoded, judged for quality, embedded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imprint.errors import ImprintError
from imprint.flows.answering.decoding import sample_of
from imprint.flows.answering.encoding import embed
from imprint.flows.policy import checked_label
from imprint.flows.teach import Lesson
from imprint.flows.teaching.screening import quality_of, stability_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.flows.answering.live import LiveCollection
    from imprint.types import Check, Sample

Pair = tuple[str | None, Any]


def label_or_none(label: str | None) -> str | None:
    """Return a label that keeps the rules; None, which means a negative, as it is."""
    return None if label is None else checked_label(label)


def lesson_of(
    live: LiveCollection,
    label: str | None,
    source: Any,
    *,
    metadata: dict[str, Any] | None = None,
    origin: str = "library",
    media_type: str | None = None,
) -> Lesson:
    """Make one lesson.

    Raises:
        InvalidInputError: the label or the source is refused; `checks` says what was measured.
    """
    live.level()  # the owner may have changed the policy
    named = label_or_none(label)
    sample = sample_of(live, source, media_type)
    quality = quality_of(sample, live.policy)
    (lesson,) = _embedded(live, [(named, sample, quality)], origin)
    lesson.metadata.update(metadata or {})
    return lesson


def lessons_of(
    live: LiveCollection, pairs: Sequence[Pair], origin: str
) -> list[Lesson | ImprintError]:
    """Make many lessons, embedded together; a refused pair gives its error in its place."""
    live.level()
    outcomes: list[tuple[str | None, Sample, tuple[Check, ...]] | ImprintError] = []
    for label, source in pairs:
        try:
            named = label_or_none(label)
            sample = sample_of(live, source)
            outcomes.append((named, sample, quality_of(sample, live.policy)))
        except ImprintError as error:
            outcomes.append(error)
    good = [one for one in outcomes if not isinstance(one, ImprintError)]
    made = iter(_embedded(live, good, origin))
    return [one if isinstance(one, ImprintError) else next(made) for one in outcomes]


def _embedded(
    live: LiveCollection,
    judged: Sequence[tuple[str | None, Sample, tuple[Check, ...]]],
    origin: str,
) -> list[Lesson]:
    if not judged:
        return []
    samples = [sample for _, sample, _ in judged]
    embeddings = embed(live.encoder, samples)
    stability = stability_of(samples, embeddings, live.encoder, live.policy)
    return [
        Lesson(label, sample, embedding, {}, origin, (*quality, *steady))
        for (label, sample, quality), embedding, steady in zip(
            judged, embeddings, stability, strict=True
        )
    ]
