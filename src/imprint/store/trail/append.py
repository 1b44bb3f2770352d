"""Appending to the trail, inside the transaction of the verb that is recorded."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from imprint.store.schema import trail
from imprint.store.trail.chain import EMPTY, SALT_BYTES, Content, Head, digest_of, linked, seal_of

if TYPE_CHECKING:
    from imprint.store.session import Session

# Written when rows are there but their head is not: somebody took it. `audit verify` reports it.
HEAD_LOST = "audit_head_lost"


def append(session: Session, content: Content, seal_key: bytes | None) -> None:
    """Write one row, its hash, and the new head. The row's own id is given here."""
    before = head_of(session)
    if before is None:
        before = _started(session, content, seal_key)
    after = _add(session, before, content)
    _put_head(session, trail.MOVE_HEAD, after, seal_key)


def head_of(session: Session) -> Head | None:
    """The stored head, if there is one."""
    row = session.one(trail.HEAD)
    return None if row is None else Head(*row)


def _started(session: Session, content: Content, seal_key: bytes | None) -> Head:
    """The head before the first row; one found missing later is put on record instead."""
    last = session.one(trail.LAST)
    head = EMPTY
    if last is not None:
        last_id, last_hash, n_rows = last
        head = Head(n_rows, last_id, last_hash or EMPTY.hash)
        lost = content._replace(actor="store", verb=HEAD_LOST, collection=None, detail="{}")
        head = _add(session, head, lost)
    _put_head(session, trail.ADD_HEAD, head, seal_key)
    return head


def _add(session: Session, before: Head, content: Content) -> Head:
    content = content._replace(audit_id=before.last_id + 1)
    salt = os.urandom(SALT_BYTES)
    value = linked(before.hash, digest_of(salt, content))
    session.run(
        trail.ADD_ROW,
        {
            "id": content.audit_id,
            "tenant": content.tenant,
            "at": content.at,
            "actor": content.actor,
            "verb": content.verb,
            "collection": content.collection,
            "detail": content.detail,
            "salt": salt,
            "digest": None,
            "hash": value,
        },
    )
    return Head(before.n_rows + 1, content.audit_id, value)


def _put_head(session: Session, statement: trail.Statement, head: Head, key: bytes | None) -> None:
    session.run(
        statement,
        {
            "n_rows": head.n_rows,
            "last_id": head.last_id,
            "head_hash": head.hash,
            "seal": None if key is None else seal_of(key, head),
        },
    )
