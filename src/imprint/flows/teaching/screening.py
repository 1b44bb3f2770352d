"""Screening where it meets the rest: one screener per live collection, verdicts for lessons."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from imprint.encoders.banks import read_screening
from imprint.errors import OpposedSupportsError
from imprint.flows.teaching.copies import Copies
from imprint.intake.quality.limits import QualityLimits
from imprint.intake.quality.sample import quality_checks
from imprint.intake.screen.backlog import Backlog
from imprint.intake.screen.checks import Footing, screening_checks, stability_check
from imprint.intake.screen.perturb import perturbed
from imprint.intake.screen.yardstick import ScreeningCard, Yardstick
from imprint.intake.verdict import Verdict, refusal, verdict_of
from imprint.vectors import stacked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.encoders.protocol import Encoder
    from imprint.flows.answering.live import LiveCollection
    from imprint.flows.policy import Policy
    from imprint.flows.teach import Lesson
    from imprint.heads.supports import SupportSet
    from imprint.types import Check, Embedding, Sample, UnitVector

# Queries remembered as witnesses of what other classes are asked.
MOST_QUERIES: Final = 256


class Screener:
    """What the supports of one collection are screened against, kept as it grows.

    Derived state: it can be thrown away. Safe to share by threads.
    """

    def __init__(self, encoder: Encoder) -> None:
        card = ScreeningCard.from_json(read_screening(encoder.name))
        self.yardstick = Yardstick.of(card, encoder.background, encoder.dim)
        self._queries: deque[UnitVector] = deque(maxlen=MOST_QUERIES)
        self.copies = Copies()
        self._footing: Footing | None = None
        self._lock = threading.Lock()

    def heard(self, vectors: Sequence[UnitVector]) -> None:
        """Remember recent queries."""
        self._queries.extend(vectors)

    def checks(
        self, vector: UnitVector, label: str | None, supports: SupportSet, backlog: Backlog
    ) -> tuple[Check, ...]:
        """Check an embedded support against what is taught and what awaits review."""
        if not supports.n_way and not len(supports.rows):
            return ()
        footing = self.footing(supports, backlog.n_held)
        return screening_checks(vector, label, supports, footing, backlog)

    def footing(self, supports: SupportSet, n_held: int) -> Footing:
        """Limits for this state, measured anew when a tenth of it changed."""
        with self._lock:
            if self._footing is None or self._footing.is_stale(supports):
                queries = stacked(list(self._queries), supports.rows.width)
                self._footing = Footing.of(supports, self.yardstick, queries, n_held)
            return self._footing


def quality_of(sample: Sample, policy: Policy) -> tuple[Check, ...]:
    """Check a decoded sample before it is embedded.

    Raises:
        InvalidInputError: nothing can be learned from it; the error carries every check.
    """
    if policy.screening == "off":
        return ()
    checks = quality_checks(sample, QualityLimits.of(policy.quality))
    if any(check.verdict == "reject" for check in checks):
        raise refusal(checks)
    return checks


def stability_of(
    samples: Sequence[Sample], embeddings: Sequence[Embedding], encoder: Encoder, policy: Policy
) -> list[tuple[Check, ...]]:
    """Embed pictures once more, changed a little, where the encoder's card says what is usual."""
    nothing: list[tuple[Check, ...]] = [()] * len(samples)
    card = ScreeningCard.from_json(read_screening(encoder.name))
    if policy.screening == "off" or card.stable <= 0.0:
        return nothing
    changed = [perturbed(sample) for sample in samples]
    asked = [one for one in changed if one is not None]
    if len(asked) < len(samples):
        return nothing
    again = encoder.encode(asked)
    return [
        (stability_check(one.vector, vector, card.stable),)
        for one, vector in zip(embeddings, again, strict=True)
    ]


def screener_of(live: LiveCollection) -> Screener:
    """The screener of a collection, made when first asked for."""
    if live.screener is None:
        made = Screener(live.encoder)
        recent = live.tenant.recent_answers(live.row.collection_id, MOST_QUERIES)
        version = live.row.encoder_version
        made.heard([one.vector for one in reversed(recent) if one.encoder_version == version])
        live.screener = made
    return live.screener


def screened(live: LiveCollection, lesson: Lesson) -> Verdict:
    """Judge one lesson against what is taught now.

    Raises:
        InvalidInputError: it is refused; the error carries every check.
    """
    verdict = judged(live, lesson, live.level().decider.supports)
    if verdict.state == "rejected":
        raise refusal(verdict.checks)
    return verdict


def screened_in_order(live: LiveCollection, lessons: Sequence[Lesson]) -> list[Verdict]:
    """Judge lessons one after the other, each with the active ones before it counted as taught."""
    supports = live.level().decider.supports
    verdicts: list[Verdict] = []
    before: list[Lesson] = []
    held: list[str | None] = []
    for lesson in lessons:
        backlog = Backlog(
            live.n_held + len(held), live.n_held_of(lesson.label) + held.count(lesson.label)
        )
        verdicts.append(judged(live, lesson, supports, before, backlog))
        if verdicts[-1].state == "quarantined":
            held.append(lesson.label)
        if verdicts[-1].state == "active":
            before.append(lesson)
            with suppress(OpposedSupportsError):
                supports = supports.added(lesson.embedding.vector, lesson.label)
    return verdicts


def judged(
    live: LiveCollection,
    lesson: Lesson,
    supports: SupportSet,
    before: Sequence[Lesson] = (),
    backlog: Backlog | None = None,
) -> Verdict:
    """Add up all checks of one lesson under the owner's policy.

    `before` are lessons of its batch that are not stored yet, `backlog` what is held with those.
    """
    policy = live.policy
    if policy.screening == "off":
        return verdict_of(lesson.checks, "off")
    screener = screener_of(live)
    waiting = backlog or Backlog(live.n_held, live.n_held_of(lesson.label))
    checks = screener.checks(lesson.embedding.vector, lesson.label, supports, waiting)
    copies = screener.copies.checks(live, lesson, before)
    return verdict_of((*lesson.checks, *checks, *copies), policy.screening)


def checks_now(
    live: LiveCollection, vector: UnitVector, label: str | None, *, without: str
) -> tuple[Check, ...]:
    """Check an embedding under a label against all supports but one."""
    snapshot = live.level()
    supports = snapshot.decider.supports
    if without in snapshot.index:
        supports = supports.removed(snapshot.index.row_of(without))
    return screener_of(live).checks(vector, label, supports, Backlog())
