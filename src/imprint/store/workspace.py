"""The open workspace: tenants, keys, and files to be unlinked."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Any

from imprint.errors import InvalidKeyError, InvalidNameError, NotFoundError
from imprint.store.custody import Custody
from imprint.store.doctor import examined
from imprint.store.ports import KeyRow
from imprint.store.quota.book import QuotaBook
from imprint.store.rows import to_key, to_moment
from imprint.store.schema import reads, writes
from imprint.store.sealing.keyring import Keyring
from imprint.store.tenant import SqlTenantStore
from imprint.store.trail.trail import Trail

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from imprint.store.files import RawFiles
    from imprint.store.session import Session
    from imprint.store.sqlite import SqliteConnections

KEY_PREFIX = "imp"
_LONGEST_NAME = 200
_UNKNOWN_KEY = "this key is unknown, expired or revoked"


class SqlStore:
    """Implements Store. `files` is None where every raw sample lies in its row (in memory)."""

    def __init__(
        self,
        connections: SqliteConnections,
        files: RawFiles | None,
        *,
        answer_cap: int,
        keyring: Keyring | None = None,
    ) -> None:
        self.connections = connections
        self.files = files
        self.answer_cap = answer_cap
        self.keyring = keyring or Keyring()
        self.folder: Path | None = None
        self.trail = Trail(connections, self.keyring)
        self.custody = Custody(self)
        self.quotas = QuotaBook(self)

    def seeing(self) -> AbstractContextManager[Session]:
        """A session for a read that opens sealed values.

        It sees one commit throughout: a row and the key that sealed it must not be read on two
        sides of the commit that ends a rotation.
        """
        if self.keyring.enabled and not self.connections.in_memory:
            return self.connections.snapshot()
        return self.connections.reading()

    def tenant(self, name: str) -> SqlTenantStore:
        """See Store. A tenant gets its row with its first write."""
        if not name or len(name) > _LONGEST_NAME or not name.isprintable():
            raise InvalidNameError(
                f"a tenant's name has 1 to {_LONGEST_NAME} printable characters; got {len(name)}"
            )
        return SqlTenantStore(self, name)

    def create_key(
        self,
        tenant: str,
        name: str,
        scopes: Sequence[str],
        *,
        now: datetime,
        expires_at: datetime | None = None,
        actor: str = "operator",
    ) -> tuple[KeyRow, str]:
        """See Store. The secret holds 256 random bits, so its plain SHA-256 cannot be guessed."""
        key_id = secrets.token_hex(6)
        secret = f"{KEY_PREFIX}_{key_id}_{secrets.token_hex(32)}"
        row = KeyRow(key_id, tenant, name, tuple(scopes), now, expires_at, None)
        detail = {"key_id": key_id, "name": name, "scopes": list(scopes)}
        with self.tenant(tenant).transaction(
            "create_key", actor=actor, now=now, detail=detail
        ) as transaction:
            transaction.put_key(row, _fingerprint(secret))
        return row, secret

    def key(self, secret: str, *, now: datetime) -> KeyRow:
        """See Store. Takes as long for an unknown key as for a wrong secret."""
        key_id = [*secret.split("_", 2), ""][1]
        with self.connections.reading() as session:
            row = session.one(reads.KEY, {"key_id": key_id})
        given = _fingerprint(secret)
        stored = given[::-1] if row is None else row[-1]
        if not hmac.compare_digest(given, stored) or row is None:
            raise InvalidKeyError(_UNKNOWN_KEY)
        found = to_key(row[:-1])
        if not found.is_valid(now):
            raise InvalidKeyError(_UNKNOWN_KEY)
        return found

    def keys(self) -> list[KeyRow]:
        """See Store."""
        with self.connections.reading() as session:
            return [to_key(row) for row in session.rows(reads.KEYS)]

    def revoke_key(
        self, key_id: str, *, now: datetime, tenant: str | None = None, actor: str = "operator"
    ) -> None:
        """See Store. Revoking twice keeps the first moment."""
        owner = self._owner(key_id, tenant)
        with owner.transaction(
            "revoke_key", actor=actor, now=now, detail={"key_id": key_id}
        ) as transaction:
            transaction.revoke_key(key_id)

    def shorten_key(
        self,
        key_id: str,
        until: datetime,
        *,
        now: datetime,
        tenant: str | None = None,
        actor: str = "operator",
    ) -> None:
        """See Store."""
        owner = self._owner(key_id, tenant)
        with owner.transaction(
            "shorten_key", actor=actor, now=now, detail={"key_id": key_id}
        ) as transaction:
            transaction.shorten_key(key_id, until)

    def newest_write(self) -> datetime | None:
        """See Store."""
        with self.connections.reading() as session:
            row = session.one(reads.NEWEST_WRITE)
        return None if row is None else to_moment(row[0])

    def _owner(self, key_id: str, tenant: str | None) -> SqlTenantStore:
        with self.connections.reading() as session:
            row = session.one(reads.KEY, {"key_id": key_id})
        owner = None if row is None else to_key(row[:-1]).tenant
        if owner is None or tenant not in (None, owner):
            raise NotFoundError("there is no key with this id; list the keys to see them")
        return self.tenant(owner)

    def check(self) -> dict[str, Any]:
        """See Store. Removes files nothing refers to, unless open for reading only."""
        return examined(self.connections, self.files)

    def sweep(self, files: Iterable[tuple[str, str]] = ()) -> int:
        """Unlink (tenant, sha256) files and doomed ones that no row refers to; returns how many.

        Runs under the write lock: no other writer can come to refer to one of them meanwhile.
        """
        if self.files is None:
            return 0
        n_removed = 0
        with self.connections.writing() as session:
            doomed = [(row[0], row[2]) for row in session.rows(writes.DOOMED)]
            for tenant, sha256 in {*doomed, *files}:
                key = {"tenant_name": tenant, "sha256": sha256}
                if session.one(reads.FILE_USED, key) is None:
                    self.files.remove(tenant, sha256)
                    n_removed += 1
            if doomed:
                session.run(writes.FORGET_DOOMED, {})
        return n_removed

    def close(self) -> None:
        """See Store."""
        self.connections.close()


def _fingerprint(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
