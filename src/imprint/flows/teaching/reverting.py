"""Going back: a class or a whole collection as it was after an earlier write, as a new write."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from imprint.errors import InvalidOptionError, RetentionOverError
from imprint.flows.policy import checked_label
from imprint.store.ports import Revision
from imprint.types import as_json

if TYPE_CHECKING:
    from datetime import datetime

    from imprint.flows.answering.live import LiveCollection
    from imprint.flows.workspace import Workspace
    from imprint.store.ports import Change


@dataclass(frozen=True, slots=True)
class Reverted:
    """What a return changed: supports brought back, taken out, and given another label or state.

    `to_sequence` is the write that was returned to, `sequence` the write that did it: returning to
    the one before it undoes the return.
    """

    to_sequence: int
    n_restored: int
    n_removed: int
    n_changed: int
    sequence: int

    def to_json(self) -> dict[str, Any]:
        """Shape this as a JSON object."""
        shape: dict[str, Any] = as_json(self)
        return shape


def revert(
    workspace: Workspace, live: LiveCollection, sequence: int, label: str | None = None
) -> Reverted:
    """Make a collection, or one class of it, what it was right after write `sequence`.

    Supports that were erased since stay gone. What had expired and comes back gets as long a life
    again. Policies stay as they are.

    Raises:
        InvalidOptionError: there was no such write.
        RetentionOverError: something of that time was forgotten longer ago than it is kept.
        LabelConflictError: a sample of that time is taught under another class now.
    """
    place = live.row.collection_id
    now_at = live.tenant.sequence(place)
    if not 0 <= sequence <= now_at:
        raise InvalidOptionError(f"sequence must be within 0 .. {now_at}, got {sequence}")
    named = None if label is None else checked_label(label)
    moment = workspace.clock()
    _refuse_lost(live, sequence, named, moment)
    live.level()  # what has expired goes first
    then = {one.support_id: one for one in live.tenant.as_of(place, sequence)}
    now = {one.support_id: one for one in live.tenant.changes(place, 0)}
    steps = [
        step
        for support_id in {**now, **then}
        if (step := _step(now.get(support_id), then.get(support_id), named)) is not None
    ]
    detail = {"to_sequence": sequence, "n_supports": len(steps)}
    steps = [_renewed(live, step, moment) for step in steps]
    if steps:
        with workspace.writing("revert", live.row.name, detail) as writing:
            now_at = writing.revise_supports(place, steps)
    n_removed = sum(step.removed for step in steps)
    n_restored = sum(step.support_id not in now for step in steps)
    n_changed = len(steps) - n_removed - n_restored
    return Reverted(sequence, n_restored, n_removed, n_changed, now_at)


def _refuse_lost(live: LiveCollection, sequence: int, label: str | None, now: datetime) -> None:
    retention = live.policy.retention
    if retention is None:
        return
    labels = live.tenant.lifetimes.lost(live.row.collection_id, sequence, now - retention)
    n_lost = len(labels) if label is None else labels.count(label)
    if n_lost:
        raise RetentionOverError(
            f"{n_lost} supports of that time were forgotten more than "
            f"{retention.total_seconds() / 86_400:g} days ago, which is as long as this collection "
            "keeps them; return to a later write, or teach them again"
        )


def _renewed(live: LiveCollection, step: Revision, now: datetime) -> Revision:
    """The step; where its support had expired, with as long a life again."""
    if step.removed:
        return step
    max_age = live.policy.max_age
    life = live.tenant.lifetimes.life(live.row.collection_id, step.support_id)
    ends = life.ends(max_age)
    if ends is None or ends > now:
        return step
    length = ends - life.taught_at
    return replace(step, renewed_until=now + (length if max_age is None else min(length, max_age)))


def _step(now: Change | None, then: Change | None, label: str | None) -> Revision | None:
    """What has to happen to one support; None when it is as it was, or not asked about."""
    if label is not None and label not in [one.label for one in (now, then) if one is not None]:
        return None
    if then is None:
        return None if now is None else Revision(now.support_id, now.label, now.state, removed=True)
    if now is not None and (now.label, now.state) == (then.label, then.state):
        return None
    return Revision(then.support_id, then.label, then.state)
