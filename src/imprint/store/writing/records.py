"""Everything but supports: collections, calibrations, corrections, requests, keys."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from imprint.errors import (
    AnswerNotFoundError,
    CollectionExistsError,
    ConflictError,
    EncoderMismatchError,
    IdempotencyConflictError,
)
from imprint.store.rows import to_json, to_number, to_number_or_none
from imprint.store.schema import quotas, writes
from imprint.store.sealing.records import generation_place, packed, request_place

if TYPE_CHECKING:
    from datetime import datetime

    from imprint.store.ports import CollectionRow, GenerationRow, KeyRow
    from imprint.store.session import Values
    from imprint.store.writing.scope import Scope

# An idempotency key is for retries; after this long its outcome is forgotten.
REQUESTS_KEPT = timedelta(days=7)


class RecordWrites:
    """The other verbs of a transaction."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def create_collection(self, row: CollectionRow) -> None:
        """See Transaction."""
        key = {"tenant": self._scope.tenant, "name": row.name, "collection_id": row.collection_id}
        if self._scope.session.one(writes.NAME_TAKEN, key) is not None:
            raise CollectionExistsError(f"a collection named {row.name!r} exists already")
        self._scope.session.run(
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
        number, sequence, _, _ = self._scope.collection(collection_id)
        self._scope.session.run(
            writes.SET_POLICY,
            {"number": number, "new_policy": to_json(policy), "new_sequence": sequence + 1},
        )
        return int(sequence) + 1

    def drop_collection(self, collection_id: str) -> None:
        """See Transaction."""
        number = self._scope.collection(collection_id)[0]
        for (sha256,) in self._scope.session.rows(writes.FILES_OF_COLLECTION, {"number": number}):
            self._scope.doom(sha256)
        for statement in (*writes.DROPS, writes.DROP_COLLECTION):
            self._scope.session.run(statement, {"number": number})
        self._scope.erased = True

    def put_generation(self, collection_id: str, row: GenerationRow) -> None:
        """See Transaction."""
        number, _, encoder_version, _ = self._scope.collection(collection_id)
        if row.encoder_version != encoder_version:
            raise EncoderMismatchError(
                f"the collection's encoder is {encoder_version!r}, the calibration's is "
                f"{row.encoder_version!r}; fit it on the collection's embeddings"
            )
        key = {"number": number, "generation": row.generation}
        if self._scope.session.one(writes.GENERATION_TAKEN, key) is not None:
            raise ConflictError(f"generation {row.generation} was saved by another writer already")
        self._scope.session.run(
            writes.ADD_GENERATION,
            {
                "collection": number,
                "generation": row.generation,
                "encoder_version": row.encoder_version,
                "sequence": row.sequence,
                "created_at": to_number(row.created_at),
                **self._private(
                    {"parameters": to_json(row.parameters)},
                    generation_place(self._scope.tenant, number, row.generation),
                ),
            },
        )

    def put_feedback(self, answer_id: str, label: str | None, at: datetime) -> None:
        """See Transaction."""
        answer = self._scope.session.one(
            writes.ANSWERED, {"tenant": self._scope.tenant, "answer_id": answer_id}
        )
        if answer is None:
            raise AnswerNotFoundError(
                "no such answer on record; the prediction log keeps the newest answers only"
            )
        self._scope.session.run(
            writes.ADD_FEEDBACK,
            {"collection": answer[0], "answer_id": answer_id, "label": label, "at": to_number(at)},
        )

    def remember_request(self, key: str, fingerprint: str, outcome: dict[str, Any]) -> None:
        """See Transaction."""
        bound = {"tenant": self._scope.tenant, "key": key}
        taken = self._scope.session.one(writes.REQUESTED, bound)
        if taken is not None:
            same = taken[0] in (fingerprint, self._keyed(fingerprint))
            raise IdempotencyConflictError(
                "this very request has just been completed; its outcome is on record"
                if same
                else "this idempotency key was used for another request; use a new key"
            )
        oldest = self._scope.now - REQUESTS_KEPT // timedelta(microseconds=1)
        self._scope.session.run(writes.FORGET_REQUESTS, {"oldest": oldest})
        self._scope.session.run(
            writes.ADD_REQUEST,
            {
                **bound,
                "at": self._scope.now,
                **self._private(
                    {"outcome": to_json(outcome), "fingerprint": fingerprint},
                    request_place(self._scope.tenant, key),
                )
                | {"fingerprint": self._keyed(fingerprint)},
            },
        )

    def put_key(self, row: KeyRow, secret_sha256: str) -> None:
        """Store a new key of this tenant."""
        self._scope.session.run(
            writes.ADD_KEY,
            {
                "key_id": row.key_id,
                "tenant": self._scope.tenant,
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
        self._scope.session.run(writes.REVOKE_KEY, {"wanted": key_id, "at": self._scope.now})

    def set_limit(self, name: str, most: int | None) -> None:
        """Set a limit of this tenant, or take it away."""
        key = {"tenant": self._scope.tenant, "name": name}
        self._scope.session.run(quotas.DROP_LIMIT, key)
        if most is not None:
            self._scope.session.run(quotas.ADD_LIMIT, {**key, "most": most})

    def shorten_key(self, key_id: str, until: datetime) -> None:
        """Let a key expire at that moment if it would not sooner."""
        self._scope.session.run(writes.SHORTEN_KEY, {"wanted": key_id, "until": to_number(until)})

    def _private(self, columns: dict[str, str], place: bytes) -> Values:
        """Columns as they are, or emptied and sealed."""
        sealer = self._scope.sealer
        if sealer is None:
            return {**columns, "sealed": None, "sealed_by": None}
        emptied = dict.fromkeys(columns, "{}")
        return {
            **emptied,
            "sealed": sealer.seal(packed(columns), place),
            "sealed_by": sealer.number,
        }

    def _keyed(self, words: str) -> str:
        """A hash as it is stored: keyed where there is a key."""
        return words if self._scope.sealer is None else self._scope.sealer.keyed(words)
