"""Making room: which support of a class goes when its tenant may hold no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from imprint.errors import QuotaExceededError
from imprint.types import Check

if TYPE_CHECKING:
    from collections.abc import Callable

    from imprint.flows.answering.live import LiveCollection
    from imprint.store.ports import NewSupport
    from imprint.types import Receipt


class Victim(NamedTuple):
    """The support that makes room, and why that one: "oldest" or "redundant"."""

    support_id: str
    reason: str

    def noted(self) -> Check:
        """The eviction, as the receipt tells of it."""
        hint = f"{self.support_id} made room, as the {_WORDS[self.reason]} of its class"
        return Check("eviction", "pass", 1.0, 1.0, hint)


_WORDS = {"oldest": "oldest", "redundant": "most redundant"}


def with_room(
    live: LiveCollection, support: NewSupport, stored: Callable[[Victim | None], Receipt]
) -> Receipt:
    """Store a support, in place of another one where the tenant's limit and the policy say so.

    Raises:
        QuotaExceededError: nothing may go, or it would not make room.
    """
    try:
        return stored(None)
    except QuotaExceededError:
        victim = victim_of(live, support)
        if victim is None:
            raise
        return stored(victim)


def victim_of(live: LiveCollection, support: NewSupport) -> Victim | None:
    """Choose by the collection's policy; None where nothing may go.

    Only a support that answers may push one out: what is held for review displaces nothing, so a
    flood of dubious samples cannot empty a class.
    """
    chosen = live.policy.eviction
    if chosen == "refuse" or support.state != "active" or support.label is None:
        return None
    found = _oldest(live, support) if chosen == "oldest" else _redundant(live, support)
    return None if found is None else Victim(found, chosen)


def _oldest(live: LiveCollection, support: NewSupport) -> str | None:
    page = live.tenant.supports(
        live.row.collection_id, label=support.label, state="active", limit=1
    )
    return page[0].support_id if page else None


def _redundant(live: LiveCollection, support: NewSupport) -> str | None:
    """The one nearest to another of its class, the new one included."""
    snapshot = live.level()
    mine = [i for i, label in enumerate(snapshot.decider.row_labels) if label == support.label]
    if not mine:
        return None
    vectors = snapshot.decider.rows.matrix()[mine]
    near = vectors @ np.vstack([vectors, support.vector]).T
    near[np.arange(len(mine)), np.arange(len(mine))] = -np.inf
    return snapshot.index.ids[mine[int(near.max(axis=1).argmax())]]
