"""Statements about the age of supports: what is due, what is past bringing back, how old all is."""

from __future__ import annotations

from sqlalchemy import and_, bindparam, case, func, or_, select

from imprint.store.schema.tables import supports

# Brought back after it had expired: from then on its own expiry holds, not the maximum age.
RENEWED = "renewed"

_MINE = supports.c.collection == bindparam("number")
_LIVE = supports.c.removed_sequence.is_(None)
_AGES = or_(supports.c.reason.is_(None), supports.c.reason != RENEWED)
DUE = (
    select(supports.c.support_id)
    .where(
        _MINE,
        _LIVE,
        or_(
            supports.c.expires_at <= bindparam("now"),
            and_(_AGES, supports.c.taught_at <= bindparam("taught_before")),
        ),
    )
    .order_by(supports.c.added_sequence)
    .limit(bindparam("limit"))
)
NEXT = select(
    func.min(case((supports.c.expires_at > bindparam("now"), supports.c.expires_at))),
    func.min(
        case((and_(_AGES, supports.c.taught_at > bindparam("taught_before")), supports.c.taught_at))
    ),
).where(_MINE, _LIVE, supports.c.changed_sequence > bindparam("after"))
FORGOTTEN = (
    select(supports.c.support_id)
    .where(
        _MINE,
        supports.c.removed_sequence.is_not(None),
        supports.c.removed_at < bindparam("cutoff"),
        supports.c.erased_at.is_(None),
    )
    .order_by(supports.c.added_sequence)
    .limit(bindparam("limit"))
)
# Live at that sequence by its first removal, and gone for so long that it may have been purged.
# What was erased at the moment it was forgotten was never meant to come back.
LOST = select(supports.c.label).where(
    _MINE,
    supports.c.added_sequence <= bindparam("sequence"),
    supports.c.removed_sequence > bindparam("sequence"),
    supports.c.removed_at < bindparam("cutoff"),
    or_(supports.c.erased_at.is_(None), supports.c.erased_at > supports.c.removed_at),
)
LIFE = select(supports.c.taught_at, supports.c.expires_at, supports.c.reason).where(
    _MINE, supports.c.support_id == bindparam("support_id")
)
AGES = (
    select(supports.c.label, supports.c.taught_at, supports.c.expires_at, supports.c.reason)
    .where(_MINE, _LIVE, supports.c.state == "active", supports.c.label.is_not(None))
    .order_by(supports.c.added_sequence)
)
