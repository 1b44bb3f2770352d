"""Statements of erasing a tenant: what it holds, and the end of all of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, delete, func, select, update

from imprint.store.schema.tables import (
    answers,
    audit,
    collections,
    data_keys,
    embeddings,
    metadata,
    raws,
    supports,
    tenants,
)

# Not by tenant: the trail is blanked instead, the tenant's row keeps its number.
_KEPT = {audit.name, tenants.name}
_MINE = select(collections.c.id).where(collections.c.tenant == bindparam("tenant"))


def _mine(table: Any) -> Any:
    if table is collections or "tenant" in table.c:
        return table.c.tenant == bindparam("tenant")
    return table.c.collection.in_(_MINE)


# Every table that belongs to tenants, whichever are added later: children before parents, and
# collections last, because they tell whose the rest is.
_CHILDREN_FIRST = tuple(reversed(metadata.sorted_tables))
OWNED = tuple(
    table
    for table in (*(one for one in _CHILDREN_FIRST if one is not collections), collections)
    if table.name not in _KEPT and ("tenant" in table.c or "collection" in table.c)
)
DROPS = {table.name: delete(table).where(_mine(table)) for table in OWNED}
COUNTS = {
    table.name: select(func.count()).select_from(table).where(_mine(table)) for table in OWNED
}
FIND = select(tenants.c.id).where(
    tenants.c.name == bindparam("name"), tenants.c.erased_at.is_(None)
)
ERASED = select(tenants.c.erased_at).where(tenants.c.id == bindparam("tenant"))
BURY = (
    update(tenants)
    .where(tenants.c.id == bindparam("tenant_number"))
    .values(name=bindparam("new_name"), erased_at=bindparam("at"), sealed_at=None)
)
FILES_LEFT = (
    select(func.count())
    .select_from(raws)
    .where(raws.c.tenant == bindparam("tenant"), raws.c.content.is_(None))
)
WRAPPED = select(data_keys.c.wrapped).where(data_keys.c.tenant == bindparam("tenant"))
NAMES = select(collections.c.name).where(collections.c.tenant == bindparam("tenant"))
SUPPORTS = (
    select(
        supports.c.collection,
        collections.c.encoder_version,
        supports.c.support_id,
        supports.c.label,
        supports.c.state,
        supports.c.content_hash,
        supports.c.added_sequence,
        supports.c.taught_at,
        supports.c.taught_by,
        supports.c.origin,
        supports.c.media_type,
        supports.c.size_bytes,
        supports.c.metadata,
        supports.c.sealed,
    )
    .select_from(supports.join(collections, supports.c.collection == collections.c.id))
    .where(collections.c.tenant == bindparam("tenant"), supports.c.erased_at.is_(None))
    .order_by(supports.c.size_bytes.desc())
    .limit(bindparam("limit"))
)
VECTORS = select(embeddings.c.vector).where(
    embeddings.c.collection == bindparam("number"),
    embeddings.c.added_sequence == bindparam("added"),
)
RAWS = select(
    raws.c.sha256, raws.c.content, raws.c.tenant, raws.c.added_sequence, raws.c.sealed_by
).where(raws.c.collection == bindparam("number"), raws.c.added_sequence == bindparam("added"))
ANSWERS = (
    select(answers.c.vector, answers.c.sealed)
    .where(answers.c.tenant == bindparam("tenant"))
    .limit(bindparam("limit"))
)
# Every column of text and every one of bytes, to tell what other tenants' rows still hold.
HOLDING: dict[type, list[Any]] = {
    kind: [
        select(func.count()).select_from(table).where(func.instr(column, bindparam("wanted")) > 0)
        for table in metadata.sorted_tables
        for column in table.c
        if column.type.python_type is kind
    ]
    for kind in (str, bytes)
}
