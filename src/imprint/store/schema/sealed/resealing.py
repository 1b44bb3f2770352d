"""Statements of sealing anew: what is plain or sealed by another key than the one in use."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, bindparam, func, select, tuple_, update

from imprint.store.schema.tables import (
    answers,
    collections,
    embeddings,
    generations,
    raws,
    requests,
    supports,
)


def _stale(table: Any) -> Any:
    return table.c.sealed_by.is_(None) | (table.c.sealed_by != bindparam("active"))


def _of_tenant(table: Any) -> Any:
    mine = select(collections.c.id).where(collections.c.tenant == bindparam("tenant"))
    return table.c.collection.in_(mine)


def _page(*columns: Any, table: Any, where: Any, after: tuple[Any, ...]) -> Any:
    names: list[Any] = [bindparam(f"after_{number}") for number in range(len(after))]
    later = after[0] > names[0] if len(after) == 1 else tuple_(*after) > tuple_(*names)
    return (
        select(*columns)
        .select_from(table)
        .where(where, later)
        .order_by(*after)
        .limit(bindparam("limit"))
    )


_AT_SUPPORT = (
    supports.c.collection == bindparam("at_collection"),
    supports.c.added_sequence == bindparam("at_added"),
)

SUPPORTS = _page(
    supports.c.collection,
    supports.c.added_sequence,
    supports.c.content_hash,
    supports.c.metadata,
    supports.c.sealed,
    table=supports,
    where=and_(_of_tenant(supports), _stale(supports), supports.c.erased_at.is_(None)),
    after=(supports.c.collection, supports.c.added_sequence),
)
PUT_SUPPORT = (
    update(supports)
    .where(*_AT_SUPPORT)
    .values(
        content_hash=bindparam("new_hash"),
        metadata="{}",
        sealed=bindparam("new_sealed"),
        sealed_by=bindparam("active"),
    )
)
EMBEDDINGS = _page(
    embeddings.c.collection,
    embeddings.c.added_sequence,
    embeddings.c.encoder_version,
    embeddings.c.vector,
    embeddings.c.sealed_by,
    supports.c.content_hash,
    supports.c.sealed,
    table=embeddings.join(
        supports,
        (embeddings.c.collection == supports.c.collection)
        & (embeddings.c.added_sequence == supports.c.added_sequence),
    ),
    where=and_(_of_tenant(embeddings), _stale(embeddings)),
    after=(embeddings.c.collection, embeddings.c.added_sequence, embeddings.c.encoder_version),
)
PUT_EMBEDDING = (
    update(embeddings)
    .where(
        embeddings.c.collection == bindparam("at_collection"),
        embeddings.c.added_sequence == bindparam("at_added"),
        embeddings.c.encoder_version == bindparam("at_version"),
    )
    .values(
        vector=bindparam("new_sealed"),
        checksum=bindparam("new_checksum"),
        sealed_by=bindparam("active"),
    )
)
RAWS = _page(
    raws.c.collection,
    raws.c.added_sequence,
    raws.c.sha256,
    raws.c.content,
    raws.c.sealed_by,
    table=raws,
    where=and_(_of_tenant(raws), _stale(raws)),
    after=(raws.c.collection, raws.c.added_sequence),
)
PUT_RAW = (
    update(raws)
    .where(
        raws.c.collection == bindparam("at_collection"),
        raws.c.added_sequence == bindparam("at_added"),
    )
    .values(
        sha256=bindparam("new_hash"), content=bindparam("new_sealed"), sealed_by=bindparam("active")
    )
)
GENERATIONS = _page(
    generations.c.collection,
    generations.c.generation,
    generations.c.parameters,
    generations.c.sealed,
    table=generations,
    where=and_(_of_tenant(generations), _stale(generations)),
    after=(generations.c.collection, generations.c.generation),
)
PUT_GENERATION = (
    update(generations)
    .where(
        generations.c.collection == bindparam("at_collection"),
        generations.c.generation == bindparam("at_generation"),
    )
    .values(parameters="{}", sealed=bindparam("new_sealed"), sealed_by=bindparam("active"))
)
ANSWERS = _page(
    answers.c.id,
    answers.c.answer_id,
    answers.c.content_hash,
    answers.c.detail,
    answers.c.vector,
    answers.c.sealed,
    table=answers,
    where=and_(answers.c.tenant == bindparam("tenant"), _stale(answers)),
    after=(answers.c.id,),
)
PUT_ANSWER = (
    update(answers)
    .where(answers.c.id == bindparam("at_id"))
    .values(
        content_hash="",
        detail="{}",
        vector=b"",
        sealed=bindparam("new_sealed"),
        sealed_by=bindparam("active"),
    )
)
REQUESTS = _page(
    requests.c.key,
    requests.c.fingerprint,
    requests.c.outcome,
    requests.c.sealed,
    table=requests,
    where=and_(requests.c.tenant == bindparam("tenant"), _stale(requests)),
    after=(requests.c.key,),
)
PUT_REQUEST = (
    update(requests)
    .where(requests.c.tenant == bindparam("at_tenant"), requests.c.key == bindparam("at_key"))
    .values(
        fingerprint=bindparam("new_hash"),
        outcome="{}",
        sealed=bindparam("new_sealed"),
        sealed_by=bindparam("active"),
    )
)
LEFT = {
    table.name: select(func.count())
    .select_from(table)
    .where(
        (
            table.c.tenant == bindparam("tenant")
            if table in (answers, requests)
            else _of_tenant(table)
        ),
        _stale(table),
        *((supports.c.erased_at.is_(None),) if table is supports else ()),
    )
    for table in (embeddings, supports, raws, generations, answers, requests)
}
