"""What one transaction writes. Reads of other verbs never see half of it."""

from __future__ import annotations

import hashlib
import json
import zlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import IntegrityError

from imprint.errors import (
    AnswerNotFoundError,
    CollectionExistsError,
    CollectionNotFoundError,
    ConflictError,
    DuplicateSupportError,
    EncoderMismatchError,
    IdempotencyConflictError,
    LabelConflictError,
    SupportNotFoundError,
)
from imprint.store.files import INLINE_LIMIT_BYTES
from imprint.store.rows import checked_bytes, to_json, to_number, to_number_or_none
from imprint.store.schema import writes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from imprint.store.files import RawFiles
    from imprint.store.ports import CollectionRow, GenerationRow, KeyRow, NewSupport
    from imprint.store.session import Columns, Session, Values

# An idempotency key is for retries; after this long its outcome is forgotten.
REQUESTS_KEPT = timedelta(days=7)


class SqlTransaction:
    """Writes of one verb of one tenant, on a session that is inside a transaction."""

    def __init__(
        self, session: Session, tenant: int, tenant_name: str, now: datetime, actor: str
    ) -> None:
        self._session = session
        self._tenant = tenant
        self._tenant_name = tenant_name
        self._now = to_number(now)
        self._actor = actor
        self.files: RawFiles | None = None
        self.written: list[str] = []  # files made by this transaction
        self.doomed: set[str] = set()  # files to unlink once it is durable
        self.erased = False

    def create_collection(self, row: CollectionRow) -> None:
        """See Transaction."""
        key = {"tenant": self._tenant, "name": row.name, "collection_id": row.collection_id}
        if self._session.one(writes.NAME_TAKEN, key) is not None:
            raise CollectionExistsError(f"a collection named {row.name!r} exists already")
        self._session.run(
            writes.ADD_COLLECTION,
            {
                **key,
                "modality": row.modality,
                "encoder_name": row.encoder_name,
                "encoder_version": row.encoder_version,
                "dim": row.dim,
                "policy": to_json(row.policy),
                "sequence": row.sequence,
                "created_at": to_number(row.created_at),
            },
        )

    def update_policy(self, collection_id: str, policy: dict[str, Any]) -> int:
        """See Transaction."""
        number, sequence, _, _ = self._collection(collection_id)
        self._session.run(
            writes.SET_POLICY,
            {"number": number, "new_policy": to_json(policy), "new_sequence": sequence + 1},
        )
        return int(sequence) + 1

    def drop_collection(self, collection_id: str) -> None:
        """See Transaction."""
        number = self._collection(collection_id)[0]
        for (sha256,) in self._session.rows(writes.FILES_OF_COLLECTION, {"number": number}):
            self._doom(sha256)
        for statement in (*writes.DROPS, writes.DROP_COLLECTION):
            self._session.run(statement, {"number": number})
        self.erased = True

    def add_supports(self, collection_id: str, supports: Sequence[NewSupport]) -> list[int]:
        """See Transaction."""
        number, sequence, encoder_version, dim = self._collection(collection_id)
        if not supports:
            return []
        vectors = [checked_bytes(support, encoder_version, dim) for support in supports]
        sequences = list(range(sequence + 1, sequence + 1 + len(supports)))
        self._insert_supports(number, sequences, supports)
        self._session.run(
            writes.ADD_EMBEDDING,
            [
                {
                    "collection": number,
                    "added_sequence": at,
                    "encoder_version": encoder_version,
                    "checksum": zlib.crc32(vector),
                    "vector": vector,
                }
                for at, vector in zip(sequences, vectors, strict=True)
            ],
        )
        self._insert_raws(number, sequences, supports)
        self._session.run(writes.ADVANCE, {"number": number, "new_sequence": sequences[-1]})
        return sequences

    def remove_supports(
        self, collection_id: str, support_ids: Sequence[str], *, erase: bool
    ) -> int:
        """See Transaction."""
        number, sequence, _, _ = self._collection(collection_id)
        places = [self._place(number, one, erase=erase) for one in dict.fromkeys(support_ids)]
        if not places:
            return int(sequence)
        sequence += 1
        self._session.run(
            writes.FORGET,
            [
                {"number": number, "added": added, "removed": before or sequence}
                | {"changed": sequence}
                for added, before in places
            ],
        )
        if erase:
            self._erase(number, [added for added, _ in places])
        self._session.run(writes.ADVANCE, {"number": number, "new_sequence": sequence})
        return int(sequence)

    def put_generation(self, collection_id: str, row: GenerationRow) -> None:
        """See Transaction."""
        number, _, encoder_version, _ = self._collection(collection_id)
        if row.encoder_version != encoder_version:
            raise EncoderMismatchError(
                f"the collection's encoder is {encoder_version!r}, the calibration's is "
                f"{row.encoder_version!r}; fit it on the collection's embeddings"
            )
        key = {"number": number, "generation": row.generation}
        if self._session.one(writes.GENERATION_TAKEN, key) is not None:
            raise ConflictError(f"generation {row.generation} was saved by another writer already")
        self._session.run(
            writes.ADD_GENERATION,
            {
                "collection": number,
                "generation": row.generation,
                "encoder_version": row.encoder_version,
                "sequence": row.sequence,
                "parameters": to_json(row.parameters),
                "created_at": to_number(row.created_at),
            },
        )

    def put_feedback(self, answer_id: str, label: str | None, at: datetime) -> None:
        """See Transaction."""
        answer = self._session.one(
            writes.ANSWERED, {"tenant": self._tenant, "answer_id": answer_id}
        )
        if answer is None:
            raise AnswerNotFoundError(
                "no such answer on record; the prediction log keeps the newest answers only"
            )
        self._session.run(
            writes.ADD_FEEDBACK,
            {"collection": answer[0], "answer_id": answer_id, "label": label, "at": to_number(at)},
        )

    def remember_request(self, key: str, fingerprint: str, outcome: dict[str, Any]) -> None:
        """See Transaction."""
        bound = {"tenant": self._tenant, "key": key}
        taken = self._session.one(writes.REQUESTED, bound)
        if taken is not None:
            same = taken[0] == fingerprint
            raise IdempotencyConflictError(
                "this very request has just been completed; its outcome is on record"
                if same
                else "this idempotency key was used for another request; use a new key"
            )
        oldest = self._now - REQUESTS_KEPT // timedelta(microseconds=1)
        self._session.run(writes.FORGET_REQUESTS, {"oldest": oldest})
        self._session.run(
            writes.ADD_REQUEST,
            {
                **bound,
                "fingerprint": fingerprint,
                "outcome": to_json(outcome),
                "at": self._now,
            },
        )

    def put_key(self, row: KeyRow, secret_sha256: str) -> None:
        """Store a new key of this tenant."""
        self._session.run(
            writes.ADD_KEY,
            {
                "key_id": row.key_id,
                "tenant": self._tenant,
                "name": row.name,
                "scopes": json.dumps(row.scopes),
                "secret_sha256": secret_sha256,
                "created_at": to_number(row.created_at),
                "expires_at": to_number_or_none(row.expires_at),
                "revoked_at": None,
            },
        )

    def revoke_key(self, key_id: str) -> None:
        """Make a key useless from now on; a revoked one keeps its moment."""
        self._session.run(writes.REVOKE_KEY, {"wanted": key_id, "at": self._now})

    def put_audit(self, verb: str, collection: str | None, detail: dict[str, Any]) -> None:
        """Append the verb's audit row; called once, last."""
        self._session.run(
            writes.ADD_AUDIT,
            {
                "tenant": self._tenant,
                "at": self._now,
                "actor": self._actor,
                "verb": verb,
                "collection": collection,
                "detail": to_json(detail),
            },
        )

    def _collection(self, collection_id: str) -> Columns:
        row = self._session.one(
            writes.COLLECTION, {"tenant": self._tenant, "collection_id": collection_id}
        )
        if row is None:
            raise CollectionNotFoundError("no such collection; it may have been dropped")
        return row

    def _insert_supports(
        self, number: int, sequences: list[int], new: Sequence[NewSupport]
    ) -> None:
        rows: list[Values] = [
            {
                "collection": number,
                "added_sequence": at,
                "changed_sequence": at,
                "removed_sequence": None,
                "support_id": support.support_id,
                "label": support.label,
                "state": support.state,
                "content_hash": support.content_hash,
                "taught_at": self._now,
                "taught_by": self._actor,
                "origin": support.origin,
                "media_type": support.raw.media_type if support.raw else None,
                "size_bytes": len(support.raw.content) if support.raw else 0,
                "metadata": to_json(support.metadata),
                "erased_at": None,
            }
            for at, support in zip(sequences, new, strict=True)
        ]
        # One INSERT undoes itself; several need a savepoint, so that a caller who catches the
        # conflict and goes on does not keep the rows before it.
        several = len(rows) > 1
        if several:
            self._session.native("SAVEPOINT adding")
        try:
            self._session.run(writes.ADD_SUPPORT, rows if several else rows[0])
        except IntegrityError as failure:
            if several:
                self._session.native("ROLLBACK TO SAVEPOINT adding")
                self._session.native("RELEASE SAVEPOINT adding")
            raise self._clash(number, new) from failure
        if several:
            self._session.native("RELEASE SAVEPOINT adding")

    def _clash(self, number: int, new: Sequence[NewSupport]) -> ConflictError:
        seen: dict[str, tuple[str, str | None]] = {}
        for at, support in enumerate(new):
            found = seen.get(support.content_hash) or self._session.one(
                writes.SAME_CONTENT, {"number": number, "content_hash": support.content_hash}
            )
            if found is not None:
                return _same_content(found[0], found[1], support.label, at)
            seen[support.content_hash] = (support.support_id, support.label)
        return ConflictError("a support with one of these ids exists already; nothing was stored")

    def _insert_raws(self, number: int, sequences: list[int], new: Sequence[NewSupport]) -> None:
        rows: list[Values] = []
        large: dict[str, bytes] = {}
        for at, support in zip(sequences, new, strict=True):
            if support.raw is None:
                continue
            content = support.raw.content
            sha256 = hashlib.sha256(content).hexdigest()
            inline = self.files is None or len(content) <= INLINE_LIMIT_BYTES
            if not inline:
                large[sha256] = content
            rows.append(
                {
                    "collection": number,
                    "added_sequence": at,
                    "tenant": self._tenant,
                    "sha256": sha256,
                    "content": content if inline else None,
                }
            )
        if self.files is not None and large:
            self.written.extend(large)
            self.files.write(self._tenant_name, large)
        if rows:
            self._session.run(writes.ADD_RAW, rows)

    def _place(self, number: int, support_id: str, *, erase: bool) -> tuple[int, int | None]:
        row = self._session.one(writes.BY_SUPPORT_ID, {"number": number, "support_id": support_id})
        added, removed, erased = row or (0, None, None)
        # What was forgotten softly can still be erased; what was erased is gone for good.
        if row is None or erased is not None or (removed is not None and not erase):
            raise SupportNotFoundError("one of these supports does not exist; nothing was removed")
        return added, removed

    def _erase(self, number: int, places: list[int]) -> None:
        keys: list[Values] = [{"number": number, "added": added} for added in places]
        for key in keys:
            file = self._session.one(writes.FILE_OF, key)
            if file is not None:
                self._doom(file[0])
        self._session.run(writes.BLANK, [key | {"at": self._now} for key in keys])
        self._session.run(writes.DROP_EMBEDDING, keys)
        self._session.run(writes.DROP_RAW, keys)
        self.erased = True

    def _doom(self, sha256: str) -> None:
        key = {"tenant": self._tenant, "sha256": sha256}
        self._session.run(writes.UNDOOM, key)
        self._session.run(writes.DOOM, key)
        self.doomed.add(sha256)


def _same_content(
    support_id: str, label: str | None, wanted: str | None, at: int
) -> LabelConflictError | DuplicateSupportError:
    if label == wanted:
        return DuplicateSupportError(
            f"sample {at} of this write is already taught under the same label", support_id
        )
    return LabelConflictError(
        f"sample {at} of this write is already taught under another label; forget that support "
        "first, or teach this one under the same label"
    )
