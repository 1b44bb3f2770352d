"""Every statement that reads. All of them name the tenant: there is no way around it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, bindparam, case, func, select, tuple_

from imprint.store.schema.tables import (
    answers,
    audit,
    collections,
    embeddings,
    feedback,
    generations,
    keys,
    raws,
    requests,
    revisions,
    supports,
    tenants,
    version,
)

_OF_TENANT = and_(
    collections.c.tenant == bindparam("tenant"),
    collections.c.collection_id == bindparam("collection_id"),
)
_LIVE = supports.c.removed_sequence.is_(None)

VERSION = select(version.c.version_num)
TENANT = select(tenants.c.id).where(tenants.c.name == bindparam("name"))

_COLLECTION_COLUMNS = (
    collections.c.collection_id,
    collections.c.name,
    collections.c.modality,
    collections.c.encoder_name,
    collections.c.encoder_version,
    collections.c.dim,
    collections.c.policy,
    collections.c.sequence,
    collections.c.created_at,
)
COLLECTIONS = (
    select(*_COLLECTION_COLUMNS)
    .where(collections.c.tenant == bindparam("tenant"))
    .order_by(collections.c.name)
)
COLLECTION = select(*_COLLECTION_COLUMNS).where(
    collections.c.tenant == bindparam("tenant"), collections.c.name == bindparam("name")
)
SEQUENCE = select(collections.c.sequence).where(_OF_TENANT)
PLACE = select(collections.c.id, collections.c.dim, collections.c.encoder_version).where(_OF_TENANT)


_AT_SUPPORT = and_(
    embeddings.c.collection == supports.c.collection,
    embeddings.c.added_sequence == supports.c.added_sequence,
    embeddings.c.encoder_version == bindparam("encoder_version"),
)


def _changes(*conditions: Any) -> Any:
    """Supports of one collection with their embeddings; erased ones have none (outer join)."""
    return (
        select(
            supports.c.support_id,
            supports.c.label,
            supports.c.state,
            supports.c.removed_sequence,
            supports.c.erased_at,
            supports.c.changed_sequence,
            supports.c.content_hash,
            embeddings.c.vector,
            embeddings.c.checksum,
            supports.c.added_sequence,
            embeddings.c.sealed_by,
        )
        .select_from(supports.outerjoin(embeddings, _AT_SUPPORT))
        .where(supports.c.collection == bindparam("number"), *conditions)
    )


CHANGES_ALL = _changes(_LIVE).order_by(supports.c.changed_sequence, supports.c.added_sequence)
CHANGES_AFTER = _changes(supports.c.changed_sequence > bindparam("after")).order_by(
    supports.c.changed_sequence, supports.c.added_sequence
)


def _as_of() -> Any:
    """Supports as they were after a write: as revised since, if they were."""
    at_support = and_(
        revisions.c.collection == supports.c.collection,
        revisions.c.added_sequence == supports.c.added_sequence,
    )
    first = (
        select(func.min(revisions.c.until_sequence))
        .where(at_support, revisions.c.until_sequence > bindparam("sequence"))
        .correlate(supports)
        .scalar_subquery()
    )
    then = revisions.alias("since")
    at_then = and_(
        then.c.collection == supports.c.collection,
        then.c.added_sequence == supports.c.added_sequence,
        then.c.until_sequence == first,
    )
    label, state, removed = (
        case((then.c.until_sequence.is_(None), now), else_=before)
        for now, before in (
            (supports.c.label, then.c.label),
            (supports.c.state, then.c.state),
            (supports.c.removed_sequence, then.c.removed_sequence),
        )
    )
    return (
        select(
            supports.c.support_id,
            label,
            state,
            removed,
            supports.c.erased_at,
            supports.c.changed_sequence,
            supports.c.content_hash,
            embeddings.c.vector,
            embeddings.c.checksum,
            supports.c.added_sequence,
            embeddings.c.sealed_by,
        )
        .select_from(supports.outerjoin(embeddings, _AT_SUPPORT).outerjoin(then, at_then))
        .where(
            supports.c.collection == bindparam("number"),
            supports.c.added_sequence <= bindparam("sequence"),
            removed.is_(None) | (removed > bindparam("sequence")),
            supports.c.erased_at.is_(None),
        )
        .order_by(supports.c.added_sequence)
    )


AS_OF = _as_of()

_SUPPORT_COLUMNS = (
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
_OF_COLLECTION = supports.c.collection == bindparam("number")
SUPPORT = select(*_SUPPORT_COLUMNS).where(
    _OF_COLLECTION, supports.c.support_id == bindparam("support_id"), _LIVE
)
SAME_CONTENT = select(*_SUPPORT_COLUMNS).where(
    _OF_COLLECTION,
    supports.c.content_hash.in_((bindparam("content_hash"), bindparam("keyed_hash"))),
    _LIVE,
)
TAUGHT_AT = select(supports.c.added_sequence).where(
    _OF_COLLECTION, supports.c.support_id == bindparam("support_id")
)


def _page(*conditions: Any) -> Any:
    return (
        select(*_SUPPORT_COLUMNS)
        .where(_OF_COLLECTION, _LIVE, supports.c.added_sequence > bindparam("after"), *conditions)
        .order_by(supports.c.added_sequence)
        .limit(bindparam("limit"))
    )


_LABELLED = supports.c.label == bindparam("label")
_IN_STATE = supports.c.state == bindparam("state")
# By (label asked for, state asked for).
PAGES = {
    (False, False): _page(),
    (True, False): _page(_LABELLED),
    (False, True): _page(_IN_STATE),
    (True, True): _page(_LABELLED, _IN_STATE),
}

RAW = (
    select(
        raws.c.sha256,
        raws.c.content,
        supports.c.media_type,
        raws.c.added_sequence,
        raws.c.sealed_by,
    )
    .select_from(
        raws.join(
            supports,
            and_(
                raws.c.collection == supports.c.collection,
                raws.c.added_sequence == supports.c.added_sequence,
            ),
        )
    )
    .where(_OF_COLLECTION, supports.c.support_id == bindparam("support_id"), _LIVE)
)

_GENERATION_COLUMNS = (
    generations.c.generation,
    generations.c.encoder_version,
    generations.c.sequence,
    generations.c.parameters,
    generations.c.created_at,
    generations.c.sealed,
)
GENERATION = select(*_GENERATION_COLUMNS).where(
    generations.c.collection == bindparam("number"),
    generations.c.generation == bindparam("generation"),
)
NEWEST_GENERATION = (
    select(*_GENERATION_COLUMNS)
    .where(generations.c.collection == bindparam("number"))
    .order_by(generations.c.generation.desc())
    .limit(1)
)

_ANSWERS = select(
    answers.c.answer_id,
    collections.c.collection_id,
    answers.c.content_hash,
    answers.c.vector,
    answers.c.encoder_version,
    answers.c.generation,
    answers.c.sequence,
    answers.c.decision,
    answers.c.label,
    answers.c.confidence,
    answers.c.detail,
    answers.c.answered_at,
    answers.c.sealed,
).select_from(answers.join(collections, answers.c.collection == collections.c.id))
ANSWER = _ANSWERS.where(
    answers.c.tenant == bindparam("tenant"), answers.c.answer_id == bindparam("answer_id")
)
RECENT_ANSWERS = (
    _ANSWERS.where(answers.c.collection == bindparam("number"))
    .order_by(answers.c.id.desc())
    .limit(bindparam("limit"))
)
FEEDBACK = (
    select(feedback.c.answer_id, feedback.c.label, feedback.c.at)
    .where(feedback.c.collection == bindparam("number"))
    .order_by(feedback.c.id)
)
REQUEST = select(requests.c.fingerprint, requests.c.outcome, requests.c.sealed).where(
    requests.c.tenant == bindparam("tenant"), requests.c.key == bindparam("key")
)
AUDIT = (
    select(audit.c.id, audit.c.at, audit.c.actor, audit.c.verb, audit.c.collection, audit.c.detail)
    .where(audit.c.tenant == bindparam("tenant"), audit.c.id > bindparam("after"))
    .order_by(audit.c.id)
    .limit(bindparam("limit"))
)

_KEY_COLUMNS = (
    keys.c.key_id,
    tenants.c.name,
    keys.c.name,
    keys.c.scopes,
    keys.c.created_at,
    keys.c.expires_at,
    keys.c.revoked_at,
)
_KEYS = keys.join(tenants, keys.c.tenant == tenants.c.id)
KEY = (
    select(*_KEY_COLUMNS, keys.c.secret_sha256)
    .select_from(_KEYS)
    .where(keys.c.key_id == bindparam("key_id"))
)
NEWEST_WRITE = select(audit.c.at).order_by(audit.c.id.desc()).limit(1)
KEYS = select(*_KEY_COLUMNS).select_from(_KEYS).order_by(keys.c.created_at.desc(), keys.c.key_id)

FILES = (
    select(tenants.c.name, raws.c.sha256)
    .select_from(raws.join(tenants, raws.c.tenant == tenants.c.id))
    .where(raws.c.content.is_(None))
    .distinct()
)
FILE_USED = (
    select(raws.c.sha256)
    .select_from(raws.join(tenants, raws.c.tenant == tenants.c.id))
    .where(
        tenants.c.name == bindparam("tenant_name"),
        raws.c.sha256 == bindparam("sha256"),
        raws.c.content.is_(None),
    )
    .limit(1)
)
EMBEDDINGS = (
    select(
        embeddings.c.collection,
        embeddings.c.added_sequence,
        embeddings.c.checksum,
        embeddings.c.vector,
    )
    .where(
        tuple_(embeddings.c.collection, embeddings.c.added_sequence)
        > tuple_(bindparam("collection"), bindparam("sequence"))
    )
    .order_by(embeddings.c.collection, embeddings.c.added_sequence)
    .limit(bindparam("limit"))
)
COUNTS = {
    "n_tenants": select(func.count()).select_from(tenants),
    "n_collections": select(func.count()).select_from(collections),
    "n_supports": select(func.count()).select_from(supports).where(_LIVE),
    "n_forgotten": select(func.count()).select_from(supports).where(~_LIVE),
    "n_answers": select(func.count()).select_from(answers),
    "n_audit_rows": select(func.count()).select_from(audit),
    "n_without_embedding": select(func.count())
    .select_from(
        supports.outerjoin(
            embeddings,
            and_(
                embeddings.c.collection == supports.c.collection,
                embeddings.c.added_sequence == supports.c.added_sequence,
            ),
        )
    )
    .where(embeddings.c.checksum.is_(None), supports.c.erased_at.is_(None)),
}
