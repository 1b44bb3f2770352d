"""Review: what is held, and the decisions a person makes about it. Each is one audited write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imprint.flows.policy import checked_label
from imprint.flows.teach import REASONS
from imprint.flows.teaching.screening import checks_now
from imprint.store.ports import Change, Revision
from imprint.types import Check, Receipt, as_json

if TYPE_CHECKING:
    from imprint.flows.answering.live import LiveCollection
    from imprint.flows.workspace import Workspace
    from imprint.types import Support, SupportState

_PAGE = 1000
_N_NEAREST = 3


@dataclass(frozen=True, slots=True)
class Held:
    """A support that awaits review, and the checks that hold it."""

    support: Support
    checks: tuple[Check, ...]

    def to_json(self) -> dict[str, Any]:
        """Shape this as a JSON object."""
        shape: dict[str, Any] = as_json(self)
        return shape


def reasons_of(support: Support) -> tuple[Check, ...]:
    """The checks that held a support when it was taught; none for one held by hand."""
    kept = support.metadata.get(REASONS)
    return tuple(Check(**one) for one in kept) if isinstance(kept, list) else ()


def held(live: LiveCollection) -> list[Held]:
    """All supports that await review, in teaching order."""
    found: list[Held] = []
    after: str | None = None
    while page := live.tenant.supports(
        live.row.collection_id, state="quarantined", limit=_PAGE, after=after
    ):
        found.extend(Held(support, reasons_of(support)) for support in page)
        after = page[-1].support_id
    return found


def set_state(
    workspace: Workspace, live: LiveCollection, support_id: str, state: SupportState
) -> Receipt:
    """Release a held support, or hold an active one. What is so already stays as it is.

    Raises:
        SupportNotFoundError: there is no such support.
        OpposedSupportsError: released, it would leave its class without a direction.
    """
    support = live.tenant.support(live.row.collection_id, support_id)
    verb = "release" if state == "active" else "quarantine"
    return _revised(workspace, live, support, verb, support.label, state)


def relabel(
    workspace: Workspace, live: LiveCollection, support_id: str, label: str | None
) -> Receipt:
    """Give a support the label a reviewer decided on (None: a negative); it answers from now on.

    Raises:
        SupportNotFoundError: there is no such support.
    """
    named = None if label is None else checked_label(label)
    support = live.tenant.support(live.row.collection_id, support_id)
    return _revised(workspace, live, support, "relabel", named, "active")


def reject(workspace: Workspace, live: LiveCollection, support_id: str, *, erase: bool) -> Support:
    """Remove a support; unless it is erased it can be brought back by reverting."""
    support = live.tenant.support(live.row.collection_id, support_id)
    detail = {"support_id": support_id, "erase": erase}
    with workspace.writing("reject", live.row.name, detail) as writing:
        writing.remove_supports(live.row.collection_id, [support_id], erase=erase)
    return support


def _revised(
    workspace: Workspace,
    live: LiveCollection,
    support: Support,
    verb: str,
    label: str | None,
    state: SupportState,
) -> Receipt:
    change = _change_of(live, support)
    checks = reasons_of(support)
    if label != support.label:
        checks = checks_now(live, change.vector, label, without=support.support_id)
    sequence = support.sequence
    if (label, state) != (support.label, support.state):
        if state == "active":
            live.refuse_opposed(change.vector, label)
        detail = {"support_id": support.support_id}
        with workspace.writing(verb, live.row.name, detail) as writing:
            sequence = writing.revise_supports(
                live.row.collection_id, [Revision(support.support_id, label, state)]
            )
    found = live.level().nearest(change.vector[None], _N_NEAREST + 1)[0]
    nearest = tuple(one for one in found if one.support_id != support.support_id)[:_N_NEAREST]
    return Receipt(
        support.support_id, label, state, checks, nearest, support.encoder_version, sequence
    )


def _change_of(live: LiveCollection, support: Support) -> Change:
    """The support with its embedding."""
    places = live.tenant.changes(live.row.collection_id, 0)
    return next(one for one in places if one.support_id == support.support_id)
