"""A dry run of teaching: the verdict, and what it would do to the other classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from imprint.errors import InvalidInputError
from imprint.flows.teaching.lessons import lesson_of
from imprint.flows.teaching.screening import judged, screener_of
from imprint.types import Check, Evidence, as_json

if TYPE_CHECKING:
    from imprint.flows.answering.live import LiveCollection

_N_NEAREST = 3


class Effect(NamedTuple):
    """What one other class would lose: of `n_asked` of its samples, `n_lost` change sides."""

    label: str
    n_asked: int
    n_lost: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What teaching a source would lead to; nothing was stored."""

    label: str | None
    state: Literal["active", "quarantined", "rejected"]
    checks: tuple[Check, ...]
    nearest: tuple[Evidence, ...]
    effects: tuple[Effect, ...]

    def to_json(self) -> dict[str, Any]:
        """Shape this as a JSON object."""
        shape: dict[str, Any] = as_json(self)
        return shape


def preview(
    live: LiveCollection, label: str | None, source: Any, media_type: str | None
) -> Preview:
    """Judge a source without storing it. A refusal is an answer here, not an error."""
    try:
        lesson = lesson_of(live, label, source, media_type=media_type)
    except InvalidInputError as refused:
        if not refused.checks:
            raise
        return Preview(label, "rejected", refused.checks, (), ())
    snapshot = live.level()
    verdict = judged(live, lesson, snapshot.decider.supports)
    (nearest,) = snapshot.nearest(lesson.embedding.vector[None], _N_NEAREST)
    effects: tuple[Effect, ...] = ()
    if lesson.label is not None and snapshot.decider.supports.n_way:
        footing = screener_of(live).footing(snapshot.decider.supports, live.n_held)
        labels = footing.frame.labels
        number = labels.index(lesson.label) if lesson.label in labels else None
        asked, lost = footing.witnesses.lost(footing.frame, lesson.embedding.vector, number)
        rows = zip(labels, asked.tolist(), lost.tolist(), strict=True)
        effects = tuple(Effect(*row) for row in rows if row[2])
    return Preview(lesson.label, verdict.state, verdict.checks, nearest, effects)
