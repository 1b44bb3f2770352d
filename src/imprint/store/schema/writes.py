"""Every statement that writes, and the look-ups a write makes first."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, bindparam, delete, func, insert, select, update

from imprint.store.schema.tables import (
    answers,
    collections,
    doomed_files,
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
COLLECTION = select(
    collections.c.id,
    collections.c.sequence,
    collections.c.encoder_version,
    collections.c.dim,
).where(_OF_TENANT)
NAME_TAKEN = select(collections.c.name, collections.c.collection_id).where(
    collections.c.tenant == bindparam("tenant"),
    (collections.c.name == bindparam("name"))
    | (collections.c.collection_id == bindparam("collection_id")),
)
ADD_COLLECTION = insert(collections).values(
    {column.name: bindparam(column.name) for column in collections.c if column.name != "id"}
)
ADVANCE = (
    update(collections)
    .where(collections.c.id == bindparam("number"))
    .values(sequence=bindparam("new_sequence"))
)
SET_POLICY = (
    update(collections)
    .where(collections.c.id == bindparam("number"))
    .values(policy=bindparam("new_policy"), sequence=bindparam("new_sequence"))
)
ADD_SUPPORT = insert(supports)
ADD_EMBEDDING = insert(embeddings)
ADD_RAW = insert(raws)
SAME_CONTENT = select(supports.c.support_id, supports.c.label).where(
    supports.c.collection == bindparam("number"),
    supports.c.content_hash.in_((bindparam("content_hash"), bindparam("keyed_hash"))),
    supports.c.removed_sequence.is_(None),
)
BY_SUPPORT_ID = select(
    supports.c.added_sequence, supports.c.removed_sequence, supports.c.erased_at
).where(
    supports.c.collection == bindparam("number"),
    supports.c.support_id == bindparam("support_id"),
)


def _at_support(table: Any) -> Any:
    return and_(
        table.c.collection == bindparam("number"), table.c.added_sequence == bindparam("added")
    )


FORGET = (
    update(supports)
    .where(_at_support(supports))
    .values(
        removed_sequence=bindparam("removed"),
        changed_sequence=bindparam("changed"),
        removed_at=func.coalesce(supports.c.removed_at, bindparam("at")),
        reason=func.coalesce(bindparam("why"), supports.c.reason),
    )
)
# Of a support that is not erased, whether live or forgotten.
TO_REVISE = select(
    supports.c.added_sequence,
    supports.c.label,
    supports.c.state,
    supports.c.removed_sequence,
    supports.c.removed_at,
    supports.c.expires_at,
    supports.c.reason,
).where(
    supports.c.collection == bindparam("number"),
    supports.c.support_id == bindparam("support_id"),
    supports.c.erased_at.is_(None),
)
ADD_REVISION = insert(revisions)
REVISE = (
    update(supports)
    .where(_at_support(supports))
    .values(
        label=bindparam("new_label"),
        state=bindparam("new_state"),
        removed_sequence=bindparam("removed"),
        removed_at=bindparam("gone_at"),
        expires_at=bindparam("until"),
        reason=bindparam("why"),
        changed_sequence=bindparam("changed"),
    )
)
BLANK = (
    update(supports)
    .where(_at_support(supports))
    .values(
        content_hash="",
        metadata="{}",
        media_type=None,
        size_bytes=0,
        sealed=None,
        sealed_by=None,
        erased_at=bindparam("at"),
    )
)
FILE_OF = select(raws.c.sha256).where(_at_support(raws), raws.c.content.is_(None))
DROP_EMBEDDING = delete(embeddings).where(_at_support(embeddings))
DROP_RAW = delete(raws).where(_at_support(raws))
FILES_OF_COLLECTION = (
    select(raws.c.sha256)
    .where(raws.c.collection == bindparam("number"), raws.c.content.is_(None))
    .distinct()
)
DOOM = insert(doomed_files)
UNDOOM = delete(doomed_files).where(
    doomed_files.c.tenant == bindparam("tenant"), doomed_files.c.sha256 == bindparam("sha256")
)
# Children before parents, as foreign keys demand.
DROPS = tuple(
    delete(table).where(table.c.collection == bindparam("number"))
    for table in (embeddings, raws, revisions, supports, generations, feedback, answers)
)
DROP_COLLECTION = delete(collections).where(collections.c.id == bindparam("number"))
GENERATION_TAKEN = select(generations.c.generation).where(
    generations.c.collection == bindparam("number"),
    generations.c.generation == bindparam("generation"),
)
ADD_GENERATION = insert(generations)
ANSWERED = select(answers.c.collection).where(
    answers.c.tenant == bindparam("tenant"), answers.c.answer_id == bindparam("answer_id")
)
ADD_FEEDBACK = insert(feedback).values(
    collection=bindparam("collection"),
    answer_id=bindparam("answer_id"),
    label=bindparam("label"),
    at=bindparam("at"),
)
REQUESTED = select(requests.c.fingerprint).where(
    requests.c.tenant == bindparam("tenant"), requests.c.key == bindparam("key")
)
ADD_REQUEST = insert(requests)
FORGET_REQUESTS = delete(requests).where(requests.c.at < bindparam("oldest"))

ADD_TENANT = insert(tenants).values(name=bindparam("name"))
ANSWERS_COLLECTION = select(collections.c.id).where(_OF_TENANT)
ADD_ANSWER = insert(answers).values(
    {column.name: bindparam(column.name) for column in answers.c if column.name != "id"}
)
# Numbers only grow, so the newest one tells which are beyond the cap without counting.
CUT_ANSWERS = delete(answers).where(
    answers.c.id <= select(func.max(answers.c.id)).scalar_subquery() - bindparam("cap")
)
DOOMED = select(tenants.c.name, doomed_files.c.tenant, doomed_files.c.sha256).select_from(
    doomed_files.join(tenants, doomed_files.c.tenant == tenants.c.id)
)
FORGET_DOOMED = delete(doomed_files)
ADD_KEY = insert(keys)
REVOKE_KEY = (
    update(keys)
    .where(keys.c.key_id == bindparam("wanted"), keys.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("at"))
)
SHORTEN_KEY = (
    update(keys)
    .where(
        keys.c.key_id == bindparam("wanted"),
        keys.c.expires_at.is_(None) | (keys.c.expires_at > bindparam("until")),
    )
    .values(expires_at=bindparam("until"))
)
STAMP = insert(version)
