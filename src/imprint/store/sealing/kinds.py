"""How a row of each kind is sealed anew. Each takes rows of resealing.py and gives new values."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from imprint.errors import BlobMissingError
from imprint.store.schema.sealed import resealing
from imprint.store.sealing import records
from imprint.store.sealing.raws import raw_content

if TYPE_CHECKING:
    from collections.abc import Callable

    from imprint.store.sealing.keyring import Opener, Sealer
    from imprint.store.session import Columns, Values
    from imprint.store.writing.scope import Scope


class Resealing(NamedTuple):
    """What one batch works with: the transaction, and keys old and new."""

    scope: Scope
    opener: Opener
    sealer: Sealer

    def private(self, sealed: bytes | None, plain: dict[str, str], place: bytes) -> dict[str, Any]:
        """Private values of a row, whether it was sealed or not."""
        return plain if sealed is None else records.opened(self.opener, sealed, place)[0]

    def seal(self, private: dict[str, Any], place: bytes, vector: bytes = b"") -> Values:
        """The values every kind sets."""
        sealed = self.sealer.seal(records.packed(private, vector), place)
        return {"new_sealed": sealed, "active": self.sealer.number}


class Kind(NamedTuple):
    """One kind of row: its page, how many leading columns are its key, and how it is sealed."""

    name: str
    page: Any
    put: Any
    n_key: int
    reseal: Callable[[Resealing, Columns], Values]


def _support(work: Resealing, row: Columns) -> Values:
    collection, added, content_hash, metadata, sealed = row
    place = records.support_place(work.scope.tenant, collection, added)
    plain = {"content_hash": content_hash, "metadata": metadata}
    private = work.private(sealed, plain, place)
    return {
        "at_collection": collection,
        "at_added": added,
        "new_hash": work.sealer.keyed(private["content_hash"]),
        **work.seal(private, place),
    }


def _embedding(work: Resealing, row: Columns) -> Values:
    collection, added, version, vector, sealed_by, content_hash, sealed = row
    place = records.embedding_place(work.scope.tenant, collection, added, version)
    if sealed_by is not None:
        plain = work.opener.open(vector, place)
    else:
        at = records.support_place(work.scope.tenant, collection, added)
        private = work.private(sealed, {"content_hash": content_hash}, at)
        plain = vector + private["content_hash"].encode()
    new = work.sealer.seal(plain, place)
    return {
        "at_collection": collection,
        "at_added": added,
        "at_version": version,
        "new_sealed": new,
        "new_checksum": zlib.crc32(new),
        "active": work.sealer.number,
    }


def _raw(work: Resealing, row: Columns) -> Values:
    collection, added, name, content, sealed_by = row
    new_name = name if sealed_by is not None else work.sealer.keyed(name)
    values = {
        "at_collection": collection,
        "at_added": added,
        "new_hash": new_name,
        "new_sealed": None,
        "active": work.sealer.number,
    }
    stored = (name, content, None, added, sealed_by)
    try:
        plain = raw_content(
            stored, work.opener, collection, work.scope.files, work.scope.tenant_name
        )
    except BlobMissingError:
        # Lost or damaged before: it cannot be read under any key, and must not hold up the rest.
        return values | {"new_hash": name, "new_sealed": content}
    if content is not None:
        place = records.raw_place(work.scope.tenant, collection, added)
        return values | {"new_sealed": work.sealer.seal(plain, place)}
    _rewrite(work, name, new_name, plain)
    return values


def _rewrite(work: Resealing, name: str, new_name: str, plain: bytes) -> None:
    """Write the file anew; a sealed one keeps its name, and readers have either the old or the new.

    Several supports may share a file: sealing it once more for each is harmless.
    """
    if work.scope.files is None:
        return
    sealed = work.sealer.seal(plain, records.file_place(work.scope.tenant, new_name))
    if new_name != name:
        work.scope.written.append(new_name)
        work.scope.doom(name)
    work.scope.files.write(work.scope.tenant_name, {new_name: sealed})


def _generation(work: Resealing, row: Columns) -> Values:
    collection, generation, parameters, sealed = row
    place = records.generation_place(work.scope.tenant, collection, generation)
    private = work.private(sealed, {"parameters": parameters}, place)
    return {
        "at_collection": collection,
        "at_generation": generation,
        **work.seal(private, place),
    }


def _answer(work: Resealing, row: Columns) -> Values:
    number, answer_id, content_hash, detail, vector, sealed = row
    place = records.answer_place(work.scope.tenant, answer_id)
    private: dict[str, Any] = {"content_hash": content_hash, "detail": detail}
    if sealed is not None:
        private, vector = records.opened(work.opener, sealed, place)
    return {"at_id": number, **work.seal(private, place, vector)}


def _request(work: Resealing, row: Columns) -> Values:
    key, fingerprint, outcome, sealed = row
    place = records.request_place(work.scope.tenant, key)
    private = work.private(sealed, {"fingerprint": fingerprint, "outcome": outcome}, place)
    return {
        "at_tenant": work.scope.tenant,
        "at_key": key,
        "new_hash": work.sealer.keyed(private["fingerprint"]),
        **work.seal(private, place),
    }


# Embeddings before supports: a plain one takes its content hash from its support.
KINDS = (
    Kind("embeddings", resealing.EMBEDDINGS, resealing.PUT_EMBEDDING, 3, _embedding),
    Kind("supports", resealing.SUPPORTS, resealing.PUT_SUPPORT, 2, _support),
    Kind("raws", resealing.RAWS, resealing.PUT_RAW, 2, _raw),
    Kind("generations", resealing.GENERATIONS, resealing.PUT_GENERATION, 2, _generation),
    Kind("answers", resealing.ANSWERS, resealing.PUT_ANSWER, 1, _answer),
    Kind("requests", resealing.REQUESTS, resealing.PUT_REQUEST, 1, _request),
)
