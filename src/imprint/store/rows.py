"""Between stored rows and the values other rooms see: times, JSON, vectors as bytes."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from imprint.errors import EncoderMismatchError, VectorError, WorkspaceCorruptError
from imprint.store.ports import AnswerRow, AuditRow, Change, CollectionRow, GenerationRow, KeyRow
from imprint.types import Support

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.store.ports import NewSupport
    from imprint.store.session import Columns
    from imprint.types import UnitVector, UnitVectors

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FLOAT32 = np.dtype("<f4")


def to_number(at: datetime) -> int:
    """A moment as whole microseconds since 1970 in UTC."""
    return (at - _EPOCH) // _MICROSECOND


def to_number_or_none(at: datetime | None) -> int | None:
    """Like `to_number`, where there may be no moment."""
    return None if at is None else to_number(at)


def to_moment(number: int) -> datetime:
    """The moment `to_number` was given."""
    return _EPOCH + timedelta(microseconds=number)


def to_json(value: dict[str, Any]) -> str:
    """An object as compact JSON text."""
    # Most supports have no metadata, and an import writes thousands.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) if value else "{}"


def from_json(words: str) -> dict[str, Any]:
    """The object `to_json` was given. Raises WorkspaceCorruptError when it is JSON no more."""
    try:
        return cast("dict[str, Any]", json.loads(words))
    except (ValueError, TypeError) as failure:
        raise WorkspaceCorruptError(
            "a stored object is not JSON any more; run `imprint doctor` and restore a backup"
        ) from failure


def to_bytes(vector: UnitVector) -> bytes:
    """A vector as little-endian float32 bytes. Raises VectorError on NaN and infinity."""
    if not np.isfinite(vector).all():
        raise VectorError("a vector holds NaN or infinity; nothing was stored")
    return np.ascontiguousarray(vector, dtype=_FLOAT32).tobytes()


def checked_bytes(support: NewSupport, encoder_version: str, dim: int) -> bytes:
    """A new support's vector as bytes, if it may enter a collection of that encoder version."""
    if support.encoder_version != encoder_version:
        raise EncoderMismatchError(
            f"the collection holds embeddings of encoder {encoder_version!r}, this one is of "
            f"{support.encoder_version!r}; embed the sample with the collection's encoder"
        )
    if support.vector.shape != (dim,):
        raise EncoderMismatchError(
            f"the collection holds vectors of width {dim}, got shape {support.vector.shape}"
        )
    return to_bytes(support.vector)


def to_vectors(blobs: Sequence[bytes], checksums: Sequence[int | None], dim: int) -> UnitVectors:
    """Stored vectors as one read-only (n, dim) matrix; a checksum of None was checked already.

    Raises:
        WorkspaceCorruptError: some bytes are not those that were stored.
    """
    n_damaged = sum(
        checksum is not None and zlib.crc32(blob) != checksum
        for blob, checksum in zip(blobs, checksums, strict=True)
    )
    joined = b"".join(blobs)
    if n_damaged or len(joined) != len(blobs) * dim * _FLOAT32.itemsize:
        raise WorkspaceCorruptError(
            f"{n_damaged or 'some'} of {len(blobs)} stored embeddings are damaged; "
            "run `imprint doctor` and restore a backup"
        )
    vectors: UnitVectors = np.frombuffer(joined, dtype=_FLOAT32).reshape(len(blobs), dim)
    return vectors


def to_changes(rows: Sequence[Columns], dim: int, as_of: int | None = None) -> list[Change]:
    """Rows of (id, label, state, removed, erased, changed, hash, vector, checksum) as changes.

    An erased support has no vector any more and gets zeros. With `as_of`, rows are those that were
    live then: none counts as removed.
    """
    if not rows:
        return []
    ids, labels, states, removed, erased, changed, hashes, blobs, checksums = zip(
        *rows, strict=True
    )
    vectors = to_vectors(*_with_zeros(blobs, checksums, erased, dim), dim)
    return [
        Change(*fields)
        for fields in zip(
            ids,
            labels,
            states,
            [as_of is None and number is not None for number in removed],
            changed,
            hashes,
            vectors,
            strict=True,
        )
    ]


def _with_zeros(
    blobs: Sequence[bytes | None],
    checksums: Sequence[int | None],
    erased: Sequence[int | None],
    dim: int,
) -> tuple[Sequence[bytes], Sequence[int | None]]:
    """Put zeros where erased supports have no vector."""
    if None not in blobs:
        return cast("Sequence[bytes]", blobs), checksums
    zeros = bytes(dim * _FLOAT32.itemsize)
    checksum = zlib.crc32(zeros)
    n_lost = sum(b is None and e is None for b, e in zip(blobs, erased, strict=True))
    if n_lost:
        raise WorkspaceCorruptError(
            f"{n_lost} supports have no embedding; run `imprint doctor` and restore a backup"
        )
    return (
        [zeros if blob is None else blob for blob in blobs],
        [checksum if b is None else c for b, c in zip(blobs, checksums, strict=True)],
    )


def to_collection(row: Columns) -> CollectionRow:
    """A row of `collections` without its numbers."""
    collection_id, name, modality, encoder_name, encoder_version, dim, policy, sequence, at = row
    return CollectionRow(
        collection_id,
        name,
        modality,
        encoder_name,
        encoder_version,
        dim,
        from_json(policy),
        sequence,
        to_moment(at),
    )


def to_support(row: Columns, encoder_version: str) -> Support:
    """A row of `supports`. A negative has no label."""
    support_id, label, state, content_hash, sequence, at, by, origin, media, size, metadata = row
    return Support(
        support_id=support_id,
        label=label,
        state=state,
        encoder_version=encoder_version,
        content_hash=content_hash,
        sequence=sequence,
        taught_at=to_moment(at),
        taught_by=by,
        origin=origin,
        media_type=media,
        size_bytes=size,
        metadata=from_json(metadata),
    )


def to_generation(row: Columns) -> GenerationRow:
    """A row of `generations`."""
    generation, encoder_version, sequence, parameters, at = row
    return GenerationRow(
        generation, encoder_version, sequence, from_json(parameters), to_moment(at)
    )


def to_answer(row: Columns) -> AnswerRow:
    """A row of `answers` joined with its collection's public id."""
    answer_id, collection_id, content_hash, blob, encoder_version, *rest = row
    generation, sequence, decision, label, confidence, detail, at = rest
    return AnswerRow(
        answer_id=answer_id,
        collection_id=collection_id,
        content_hash=content_hash,
        vector=np.frombuffer(blob, dtype=_FLOAT32),
        encoder_version=encoder_version,
        generation=generation,
        sequence=sequence,
        decision=decision,
        label=label,
        confidence=confidence,
        detail=from_json(detail),
        answered_at=to_moment(at),
    )


def to_audit(row: Columns) -> AuditRow:
    """A row of `audit`."""
    audit_id, at, actor, verb, collection, detail = row
    return AuditRow(audit_id, to_moment(at), actor, verb, collection, from_json(detail))


def to_key(row: Columns) -> KeyRow:
    """A row of `keys` joined with its tenant's name; the secret's hash is not part of it."""
    key_id, tenant, name, scopes, created_at, expires_at, revoked_at = row
    return KeyRow(
        key_id,
        tenant,
        name,
        tuple(json.loads(scopes)),
        to_moment(created_at),
        None if expires_at is None else to_moment(expires_at),
        None if revoked_at is None else to_moment(revoked_at),
    )
