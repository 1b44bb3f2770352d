"""Reviewed supports: another label or state, or back from being forgotten, with what they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError

from imprint.errors import LabelConflictError, SupportNotFoundError
from imprint.store.rows import to_number
from imprint.store.schema import writes
from imprint.store.schema.lifetimes import RENEWED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.store.ports import Revision
    from imprint.store.session import Columns, Values
    from imprint.store.writing.scope import Scope


def revise(scope: Scope, collection_id: str, revisions: Sequence[Revision]) -> int:
    """See Transaction.revise_supports."""
    number, sequence, _, _ = scope.collection(collection_id)
    wanted = list({one.support_id: one for one in revisions}.values())
    if not wanted:
        return int(sequence)
    sequence = int(sequence) + 1
    found = [_found(scope, number, one.support_id) for one in wanted]
    scope.session.run(writes.ADD_REVISION, [_before(number, sequence, row) for row in found])
    # Those that leave make room first: one may come back with the content of another.
    pairs = sorted(zip(wanted, found, strict=True), key=lambda pair: not pair[0].removed)
    try:
        scope.session.run(
            writes.REVISE, [_after(scope, number, sequence, one, row) for one, row in pairs]
        )
    except IntegrityError as failure:
        raise LabelConflictError(
            "the same sample was taught again meanwhile; forget that support first"
        ) from failure
    scope.session.run(writes.ADVANCE, {"number": number, "new_sequence": sequence})
    return sequence


def _found(scope: Scope, number: int, support_id: str) -> Columns:
    row = scope.session.one(writes.TO_REVISE, {"number": number, "support_id": support_id})
    if row is None:
        raise SupportNotFoundError(
            "one of these supports does not exist or was erased; nothing was changed"
        )
    return row


def _before(number: int, sequence: int, row: Columns) -> Values:
    added, label, state, removed = row[:4]
    return {
        "collection": number,
        "added_sequence": added,
        "until_sequence": sequence,
        "label": label,
        "state": state,
        "removed_sequence": removed,
    }


def _after(scope: Scope, number: int, sequence: int, one: Revision, row: Columns) -> Values:
    added, _, _, removed, removed_at, until, why = row
    gone: Values = {"removed": None, "gone_at": None}
    if one.removed:
        gone = {"removed": removed or sequence, "gone_at": removed_at or scope.now}
    elif one.renewed_until is not None:
        until, why = to_number(one.renewed_until), RENEWED
    elif removed is not None:
        why = None  # why it was gone; it is back
    return {
        "number": number,
        "added": added,
        "new_label": one.label,
        "new_state": one.state,
        "changed": sequence,
        "until": until,
        "why": why,
        **gone,
    }
