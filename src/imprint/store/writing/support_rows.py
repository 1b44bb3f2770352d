"""A new support as the rows it becomes: plain, or sealed where the tenant has a key."""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING

from imprint.store.rows import to_json, to_number_or_none
from imprint.store.sealing.records import (
    embedding_place,
    file_place,
    packed,
    raw_place,
    support_place,
)

if TYPE_CHECKING:
    from imprint.store.ports import NewSupport
    from imprint.store.session import Values
    from imprint.store.writing.scope import Scope


def support_values(scope: Scope, number: int, at: int, support: NewSupport) -> Values:
    """The row of `supports`; `at` is the sequence it is added with."""
    private = {"content_hash": support.content_hash, "metadata": to_json(support.metadata)}
    sealer = scope.sealer
    sealed = None
    if sealer is not None:
        sealed = sealer.seal(packed(private), support_place(scope.tenant, number, at))
        private = {"content_hash": sealer.keyed(support.content_hash), "metadata": "{}"}
    return {
        "collection": number,
        "added_sequence": at,
        "changed_sequence": at,
        "removed_sequence": None,
        "support_id": support.support_id,
        "label": support.label,
        "state": support.state,
        **private,
        "taught_at": scope.now,
        "taught_by": scope.actor,
        "origin": support.origin,
        "media_type": support.raw.media_type if support.raw else None,
        "size_bytes": len(support.raw.content) if support.raw else 0,
        "erased_at": None,
        "removed_at": None,
        "expires_at": to_number_or_none(support.expires_at),
        "reason": None,
        "sealed": sealed,
        "sealed_by": None if sealer is None else sealer.number,
    }


def embedding_values(
    scope: Scope, number: int, at: int, support: NewSupport, vector: bytes
) -> Values:
    """The row of `embeddings`."""
    sealer = scope.sealer
    if sealer is not None:
        place = embedding_place(scope.tenant, number, at, support.encoder_version)
        vector = sealer.seal(vector + support.content_hash.encode(), place)
    return {
        "collection": number,
        "added_sequence": at,
        "encoder_version": support.encoder_version,
        "checksum": zlib.crc32(vector),
        "vector": vector,
        "sealed_by": None if sealer is None else sealer.number,
    }


def raw_values(scope: Scope, number: int, at: int, content: bytes, *, inline: bool) -> Values:
    """The row of `raws`, holding the bytes when `inline`; else `sha256` names their file."""
    name = hashlib.sha256(content).hexdigest()
    sealer = scope.sealer
    if sealer is not None:
        name = sealer.keyed(name)
        if inline:
            content = sealer.seal(content, raw_place(scope.tenant, number, at))
    return {
        "collection": number,
        "added_sequence": at,
        "tenant": scope.tenant,
        "sha256": name,
        "content": content if inline else None,
        "sealed_by": None if sealer is None else sealer.number,
    }


def file_bytes(scope: Scope, name: str, content: bytes) -> bytes:
    """What is written to the file of that name."""
    if scope.sealer is None:
        return content
    return scope.sealer.seal(content, file_place(scope.tenant, name))
