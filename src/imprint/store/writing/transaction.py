"""What one transaction writes. Reads of other verbs never see half of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imprint.store.rows import to_json
from imprint.store.trail.append import append
from imprint.store.trail.chain import Content
from imprint.store.writing.records import RecordWrites
from imprint.store.writing.revisions import revise
from imprint.store.writing.supports import SupportWrites

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from imprint.store.ports import CollectionRow, GenerationRow, KeyRow, NewSupport, Revision
    from imprint.store.writing.scope import Scope


class SqlTransaction:
    """Implements Transaction; each part of it writes one kind of thing."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._records = RecordWrites(scope)
        self._supports = SupportWrites(scope)

    @property
    def scope(self) -> Scope:
        """What the parts share, for other files of this room."""
        return self._scope

    def create_collection(self, row: CollectionRow) -> None:
        """See Transaction."""
        self._records.create_collection(row)

    def update_policy(self, collection_id: str, policy: dict[str, Any]) -> int:
        """See Transaction."""
        return self._records.update_policy(collection_id, policy)

    def drop_collection(self, collection_id: str) -> None:
        """See Transaction."""
        self._records.drop_collection(collection_id)

    def add_supports(self, collection_id: str, supports: Sequence[NewSupport]) -> list[int]:
        """See Transaction."""
        return self._supports.add(collection_id, supports)

    def remove_supports(
        self,
        collection_id: str,
        support_ids: Sequence[str],
        *,
        erase: bool,
        reason: str | None = None,
    ) -> int:
        """See Transaction."""
        return self._supports.remove(collection_id, support_ids, erase=erase, reason=reason)

    def revise_supports(self, collection_id: str, revisions: Sequence[Revision]) -> int:
        """See Transaction."""
        return revise(self._scope, collection_id, revisions)

    def put_generation(self, collection_id: str, row: GenerationRow) -> None:
        """See Transaction."""
        self._records.put_generation(collection_id, row)

    def put_feedback(self, answer_id: str, label: str | None, at: datetime) -> None:
        """See Transaction."""
        self._records.put_feedback(answer_id, label, at)

    def remember_request(self, key: str, fingerprint: str, outcome: dict[str, Any]) -> None:
        """See Transaction."""
        self._records.remember_request(key, fingerprint, outcome)

    def put_key(self, row: KeyRow, secret_sha256: str) -> None:
        """Store a new key of this tenant."""
        self._records.put_key(row, secret_sha256)

    def revoke_key(self, key_id: str) -> None:
        """Make a key useless from now on; a revoked one keeps its moment."""
        self._records.revoke_key(key_id)

    def set_limit(self, name: str, most: int | None) -> None:
        """Set a limit of this tenant, or take it away."""
        self._records.set_limit(name, most)

    def shorten_key(self, key_id: str, until: datetime) -> None:
        """Let a key expire at that moment if it would not sooner."""
        self._records.shorten_key(key_id, until)

    def put_audit(self, verb: str, collection: str | None, detail: dict[str, Any]) -> None:
        """Append the verb's audit row; called once, last."""
        scope = self._scope
        content = Content(
            0, scope.tenant, scope.now, scope.actor, verb, collection, to_json(detail)
        )
        append(scope.session, content, scope.seal_key)
