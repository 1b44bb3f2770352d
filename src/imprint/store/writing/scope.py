"""What every part of one transaction shares: whose it is, when it is, and its files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from imprint.errors import CollectionNotFoundError
from imprint.store.schema import writes

if TYPE_CHECKING:
    from imprint.store.files import RawFiles
    from imprint.store.sealing.keyring import Sealer
    from imprint.store.session import Columns, Session


@dataclass(slots=True)
class Scope:
    """One verb of one tenant, on a session that is inside a transaction.

    `files` is None where every raw sample lies in its row. `written` are files this transaction
    made, `doomed` those to unlink once it is durable.
    """

    session: Session
    tenant: int
    tenant_name: str
    now: int
    actor: str
    files: RawFiles | None = None
    sealer: Sealer | None = None  # None where the workspace has no master key
    seal_key: bytes | None = None  # seals the head of the audit trail
    written: list[str] = field(default_factory=list)
    doomed: set[str] = field(default_factory=set)
    erased: bool = False

    def collection(self, collection_id: str) -> Columns:
        """(number, sequence, encoder version, dim) of a collection of this tenant."""
        row = self.session.one(
            writes.COLLECTION, {"tenant": self.tenant, "collection_id": collection_id}
        )
        if row is None:
            raise CollectionNotFoundError("no such collection; it may have been dropped")
        return row

    def doom(self, sha256: str) -> None:
        """Note a file to be unlinked, in the transaction that deletes its last row."""
        key = {"tenant": self.tenant, "sha256": sha256}
        self.session.run(writes.UNDOOM, key)
        self.session.run(writes.DOOM, key)
        self.doomed.add(sha256)
