"""Teaching: from sources with labels to durable supports and receipts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from imprint.errors import (
    DuplicateSupportError,
    IdempotencyConflictError,
    ImprintError,
    LabelConflictError,
    QuotaExceededError,
)
from imprint.flows.answering.expiry import end_of
from imprint.flows.answering.provenance import new_support_id
from imprint.flows.teaching.evicting import with_room
from imprint.flows.teaching.screening import screened, screened_in_order
from imprint.intake.verdict import refusal
from imprint.store.ports import Change, NewSupport
from imprint.types import Check, Receipt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from imprint.flows.answering.live import LiveCollection
    from imprint.flows.teaching.evicting import Victim
    from imprint.intake.verdict import Verdict
    from imprint.store.ports import Transaction
    from imprint.types import Embedding, Evidence, Sample

_N_NEAREST = 3
# Where a held support keeps why it is held, in its metadata.
REASONS = "imprint.checks"


@dataclass(frozen=True, slots=True)
class Lesson:
    """One decoded and embedded sample with the label it is taught under."""

    label: str | None
    sample: Sample
    embedding: Embedding
    metadata: dict[str, Any]
    origin: str
    # What was measured on the way here: quality of the sample, stability of its embedding.
    checks: tuple[Check, ...] = ()
    # When it is to stop answering; None: when the collection's maximum age says so.
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """Who does it, and when."""

    actor: str
    now: datetime


def teach_one(
    live: LiveCollection, lesson: Lesson, act: Act, idempotency_key: str | None = None
) -> Receipt:
    """Store one lesson durably and make it recognizable; the receipt says both are done.

    Raises:
        LabelConflictError: the same sample is taught under another label.
        IdempotencyConflictError: the key was used for another lesson.
    """
    fingerprint = _fingerprint(live, lesson)
    if idempotency_key is not None:
        remembered = live.tenant.recall_request(idempotency_key)
        if remembered is not None:
            return _replayed(remembered, fingerprint)
    (nearest,) = _nearest(live, [lesson])
    if (repeated := _repeated(live, lesson, nearest)) is not None:
        return repeated
    # Refused here, before anything is written, when the class would be left without a direction.
    live.refuse_opposed(lesson.embedding.vector, lesson.label)
    verdict = screened(live, lesson)
    support = _support(live, lesson, verdict)

    def stored(victim: Victim | None) -> Receipt:
        with live.tenant.transaction(
            "teach",
            actor=act.actor,
            now=act.now,
            collection=live.row.name,
            detail=_written(support, victim),
        ) as writing:
            _make_room(live, writing, victim)
            (sequence,) = writing.add_supports(live.row.collection_id, [support])
            made = _receipt(support, lesson, verdict, nearest, sequence, victim)
            if idempotency_key is not None:
                writing.remember_request(idempotency_key, fingerprint, made.to_json())
        return made

    try:
        receipt = with_room(live, support, stored)
    except DuplicateSupportError:
        # Another writer stored the very same sample between our look and our write.
        return _of_other_writer(live, lesson, nearest)
    ends = end_of(live.policy.max_age, support.expires_at, act.now)
    live.apply(_change(support, receipt.sequence), ends)
    return receipt


def teach_batch(
    live: LiveCollection, lessons: Sequence[Lesson], act: Act
) -> list[Receipt | ImprintError]:
    """Store many lessons in one commit; an outcome for each, in order.

    Each is screened against what is taught with those before it.
    """
    nearest = _nearest(live, lessons)
    outcomes: list[Receipt | ImprintError | None] = [None] * len(lessons)
    fresh: dict[str, int] = {}
    for i, lesson in enumerate(lessons):
        first = fresh.setdefault(lesson.sample.content_hash, i)
        if first == i:
            outcomes[i] = _looked_up(live, lesson, nearest[i])
        elif lessons[first].label != lesson.label:
            outcomes[i] = _conflict(lessons[first].label)
    new = [i for i in fresh.values() if outcomes[i] is None]
    verdicts = screened_in_order(live, [lessons[i] for i in new])
    try:
        stored = _commit(live, lessons, dict(zip(new, verdicts, strict=True)), act, nearest)
        for i, outcome in stored.items():
            outcomes[i] = outcome
    except _found_out_alone(live):
        # Rare race with another writer, or room has to be made: each lesson finds out for itself.
        for i in new:
            try:
                outcomes[i] = teach_one(live, lessons[i], act)
            except ImprintError as error:
                outcomes[i] = error
    return [
        _same_batch(outcome, outcomes[fresh[lesson.sample.content_hash]])
        for outcome, lesson in zip(outcomes, lessons, strict=True)
    ]


def _commit(
    live: LiveCollection,
    lessons: Sequence[Lesson],
    verdicts: dict[int, Verdict],
    act: Act,
    nearest: list[tuple[Evidence, ...]],
) -> dict[int, Receipt | ImprintError]:
    outcomes: dict[int, Receipt | ImprintError] = {
        i: refusal(verdict.checks) for i, verdict in verdicts.items() if verdict.state == "rejected"
    }
    kept = [i for i in verdicts if i not in outcomes]
    if not kept:
        return outcomes
    supports = [_support(live, lessons[i], verdicts[i]) for i in kept]
    detail = {"n_supports": len(supports), "first": supports[0].support_id}
    n_held = sum(support.state == "quarantined" for support in supports)
    with live.tenant.transaction(
        "teach",
        actor=act.actor,
        now=act.now,
        collection=live.row.name,
        detail=detail | ({"n_quarantined": n_held} if n_held else {}),
    ) as writing:
        sequences = writing.add_supports(live.row.collection_id, supports)
    for i, support, sequence in zip(kept, supports, sequences, strict=True):
        outcomes[i] = _receipt(support, lessons[i], verdicts[i], nearest[i], sequence)
    return outcomes


def _found_out_alone(live: LiveCollection) -> tuple[type[ImprintError], ...]:
    refuses = live.policy.eviction == "refuse"
    return (DuplicateSupportError,) if refuses else (DuplicateSupportError, QuotaExceededError)


def _looked_up(
    live: LiveCollection, lesson: Lesson, nearest: tuple[Evidence, ...]
) -> Receipt | LabelConflictError | None:
    try:
        return _repeated(live, lesson, nearest)
    except LabelConflictError as conflict:
        return conflict


def _same_batch(
    outcome: Receipt | ImprintError | None, first: Receipt | ImprintError | None
) -> Receipt | ImprintError:
    found = outcome if outcome is not None else first
    if found is None:
        raise AssertionError("every lesson of a batch has an outcome")
    return found


def _fingerprint(live: LiveCollection, lesson: Lesson) -> str:
    named = "" if lesson.label is None else lesson.label
    parts = (live.row.collection_id, named, lesson.sample.content_hash)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _replayed(remembered: tuple[str, dict[str, Any]], fingerprint: str) -> Receipt:
    if remembered[0] != fingerprint:
        raise IdempotencyConflictError(
            "this Idempotency-Key was used for another request; use a new key for a new request"
        )
    return Receipt.from_json(remembered[1])


def _nearest(live: LiveCollection, lessons: Sequence[Lesson]) -> list[tuple[Evidence, ...]]:
    if not lessons:
        return []
    vectors = np.stack([lesson.embedding.vector for lesson in lessons])
    return live.level().nearest(vectors, _N_NEAREST)


def _repeated(
    live: LiveCollection, lesson: Lesson, nearest: tuple[Evidence, ...]
) -> Receipt | None:
    known = live.known_content(lesson.sample.content_hash)
    if known is None:
        return None
    support_id, label = known
    if label != lesson.label:
        raise _conflict(label)
    stored = live.tenant.support(live.row.collection_id, support_id)
    check = Check("duplicate", "pass", 1.0, 1.0, "already taught; this is its receipt")
    others = tuple(one for one in nearest if one.support_id != support_id)
    return Receipt(
        support_id,
        label,
        stored.state,
        (check,),
        others,
        stored.encoder_version,
        stored.sequence,
    )


def _of_other_writer(
    live: LiveCollection, lesson: Lesson, nearest: tuple[Evidence, ...]
) -> Receipt:
    live.level()
    receipt = _repeated(live, lesson, nearest)
    if receipt is None:
        raise LabelConflictError("another writer taught and removed this sample; teach it again")
    return receipt


def _conflict(label: str | None) -> LabelConflictError:
    named = "as an example of no class" if label is None else f"under the label {label!r}"
    return LabelConflictError(
        f"this very sample is already taught {named}; forget it there first, or keep that label"
    )


def _support(live: LiveCollection, lesson: Lesson, verdict: Verdict) -> NewSupport:
    return NewSupport(
        support_id=new_support_id(lesson.origin),
        label=lesson.label,
        state=verdict.support_state,
        encoder_version=lesson.embedding.encoder_version,
        content_hash=lesson.sample.content_hash,
        vector=lesson.embedding.vector,
        # What is taught from the prediction log has no sample any more.
        raw=lesson.sample.raw if live.policy.keep_raw and lesson.sample.raw.content else None,
        origin=lesson.origin,
        metadata=_noted(lesson.metadata, verdict),
        expires_at=lesson.expires_at,
    )


def _noted(metadata: dict[str, Any], verdict: Verdict) -> dict[str, Any]:
    """Metadata, with why the support is held, for whoever reviews it."""
    if verdict.state == "active":
        return metadata
    reasons = [check._asdict() for check in verdict.checks if check.verdict != "pass"]
    return {**metadata, REASONS: reasons}


def _make_room(live: LiveCollection, writing: Transaction, victim: Victim | None) -> None:
    if victim is not None:
        writing.remove_supports(
            live.row.collection_id, [victim.support_id], erase=False, reason=victim.reason
        )


def _written(support: NewSupport, victim: Victim | None) -> dict[str, Any]:
    detail = {"support_id": support.support_id}
    if victim is not None:
        detail |= {"evicted": victim.support_id, "reason": victim.reason}
    return detail if support.state == "active" else detail | {"state": support.state}


def _receipt(
    support: NewSupport,
    lesson: Lesson,
    verdict: Verdict,
    nearest: tuple[Evidence, ...],
    sequence: int,
    victim: Victim | None = None,
) -> Receipt:
    checks = [Check("decode", "pass", 1.0, 1.0, note) for note in lesson.sample.notes]
    made_room = () if victim is None else (victim.noted(),)
    return Receipt(
        support.support_id,
        lesson.label,
        support.state,
        (*checks, Check("duplicate", "pass", 0.0, 1.0, ""), *verdict.checks, *made_room),
        nearest,
        support.encoder_version,
        sequence,
    )


def _change(support: NewSupport, sequence: int) -> Change:
    return Change(
        support.support_id,
        support.label,
        support.state,
        removed=False,
        sequence=sequence,
        content_hash=support.content_hash,
        vector=support.vector,
    )
