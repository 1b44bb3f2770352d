"""The data keys of an open workspace: made, wrapped, stored, found again.

A tenant has a key that seals and a key for keyed hashes; the workspace has one that seals the head
of the audit trail. All lie in `data_keys`, wrapped by the master key, and are unwrapped once per
process. A key made in a transaction is kept in memory only when read back after its commit.
"""

from __future__ import annotations

import hmac
import os
from typing import TYPE_CHECKING

from imprint.errors import MasterKeyMissingError, MasterKeyWrongError, WorkspaceCorruptError
from imprint.store.schema.sealed import keyed
from imprint.store.sealing.masters.local import KEY_BYTES
from imprint.store.sealing.sealing_key import SealingKey, number_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.store.sealing.masters.wrapper import KeyWrapper
    from imprint.store.session import Columns, Session

WORKSPACE = "workspace"


class Sealer:
    """What a writing transaction of one tenant seals with."""

    __slots__ = ("_hash_key", "_key", "mixed", "number")

    def __init__(self, key: SealingKey, hash_key: bytes, *, mixed: bool) -> None:
        self._key = key
        self._hash_key = hash_key
        self.number = key.number
        self.mixed = mixed  # rows from before encryption may be left

    def seal(self, plain: bytes, place: bytes) -> bytes:
        """Encrypt for one place."""
        return self._key.seal(plain, place)

    def keyed(self, words: str) -> str:
        """A hash only holders of the tenant's hash key can compute, as 64 digits."""
        return keyed_hash(self._hash_key, words)


class Opener:
    """What a read of one tenant opens sealed values with; lives as long as its session."""

    __slots__ = ("_keyring", "_session", "tenant")

    def __init__(self, keyring: Keyring, session: Session, tenant: int) -> None:
        self._keyring = keyring
        self._session = session
        self.tenant = tenant

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """Decrypt. Raises SealBrokenError."""
        number = number_of(sealed)
        return self._keyring.sealing_key(self._session, self.tenant, number).open(sealed, place)

    def keyed(self, words: str) -> str | None:
        """The keyed hash of this tenant; None where it has no key."""
        key = self._keyring.hash_key(self._session, self.tenant)
        return None if key is None else keyed_hash(key, words)


class Keyring:
    """All data keys of one workspace. Without a master key it has none and makes none."""

    def __init__(self, masters: Sequence[KeyWrapper] = ()) -> None:
        """Take the master keys: the first wraps new keys, every one unwraps what it wrapped."""
        self._masters = {master.key_id: master for master in masters}
        self._first = masters[0] if masters else None
        self._data_keys: dict[tuple[int, int], SealingKey] = {}
        self._hash_keys: dict[int, bytes | None] = {}
        self._audit_key: bytes | None = None

    @property
    def enabled(self) -> bool:
        """Whether new rows are sealed."""
        return self._first is not None

    @property
    def masters(self) -> list[KeyWrapper]:
        """The master keys it was given."""
        return list(self._masters.values())

    @property
    def master_key_id(self) -> str | None:
        """The master key that wraps new keys."""
        return None if self._first is None else self._first.key_id

    def check(self, session: Session) -> None:
        """Prove at opening that the workspace's keys can be had.

        Raises:
            MasterKeyMissingError, MasterKeyWrongError, KeyServiceError: they cannot.
        """
        row = session.one(keyed.SOME_KEY)
        if row is not None:
            self._unwrapped(row[:4], row[4])

    def writer(self, session: Session, tenant: int, now: int) -> Sealer | None:
        """What this transaction seals with; a tenant's first transaction makes its keys."""
        if not self.enabled:
            return None
        rows = session.rows(keyed.IN_USE, {"tenant": tenant})
        found = {row[1]: row for row in rows}
        if "seal" not in found:
            self.audit_key(session, now)  # the first key of a workspace is its own
            self.make(session, tenant, "seal", now)
            if "hash" not in found:
                self.make(session, tenant, "hash", now)
                session.run(keyed.SEALED_IF_NEW, {"tenant_number": tenant, "at": now})
            rows = session.rows(keyed.IN_USE, {"tenant": tenant})
            found = {row[1]: row for row in rows}
            key = SealingKey(found["seal"][0], self._unwrapped(found["seal"][:4], tenant))
            hash_key = self._unwrapped(found["hash"][:4], tenant)
            return Sealer(key, hash_key, mixed=rows[0][4] is None)
        kept = self._hash_keys.get(tenant) or self._unwrapped(found["hash"][:4], tenant)
        self._hash_keys[tenant] = kept
        key = self.sealing_key(session, tenant, found["seal"][0])
        return Sealer(key, kept, mixed=rows[0][4] is None)

    def sealing_key(self, session: Session, tenant: int, number: int) -> SealingKey:
        """A sealing key of a tenant, in use or retired."""
        found = self._data_keys.get((tenant, number))
        if found is None:
            row = session.one(keyed.KEY, {"tenant": tenant, "key": number})
            if row is None:
                raise WorkspaceCorruptError(
                    f"data key {number} of a sealed row is not in this workspace; restore a backup"
                )
            found = SealingKey(number, self._unwrapped(row, tenant))
            self._data_keys[tenant, number] = found
        return found

    def hash_key(self, session: Session, tenant: int) -> bytes | None:
        """The key of a tenant's keyed hashes, if it has one."""
        found = self._hash_keys.get(tenant)
        if found is None:
            row = session.one(keyed.HASH_KEY, {"tenant": tenant})
            if row is not None:
                found = self._hash_keys[tenant] = self._unwrapped(row, tenant)
        return found

    def audit_key(self, session: Session, now: int | None = None) -> bytes | None:
        """The key that seals the head of the audit trail.

        With `now` it is made, but only as the very first key of the workspace: one that was taken
        away must be missed, not replaced.
        """
        if self._audit_key is not None:
            return self._audit_key
        row = session.one(keyed.AUDIT_KEY) if self.enabled else None
        if row is not None:
            self._audit_key = self._unwrapped(row, None)
            return self._audit_key
        if now is None or not self.enabled or self._has_keys(session):
            return None
        return self.make(session, None, "audit", now)

    def audit_key_lost(self, session: Session) -> bool:
        """Whether there should be an audit key and is none: it was taken away."""
        return self._has_keys(session) and session.one(keyed.AUDIT_KEY) is None

    def make(self, session: Session, tenant: int | None, purpose: str, now: int) -> bytes:
        """Make a key inside a transaction and store it wrapped."""
        if self._first is None:
            raise no_master_key()
        key = os.urandom(KEY_BYTES)
        session.run(
            keyed.ADD,
            {
                "tenant": tenant,
                "purpose": purpose,
                "wrapped": self._first.wrap(key, context_of(tenant, purpose)),
                "master_key": self._first.key_id,
                "created_at": now,
                "retired_at": None,
            },
        )
        return key

    def unwrapped(self, row: Columns, tenant: int | None) -> bytes:
        """The key in a row of (id, purpose, wrapped, master key)."""
        return self._unwrapped(row, tenant)

    def forget(self, tenant: int) -> None:
        """Drop a tenant's keys from memory."""
        self._hash_keys.pop(tenant, None)
        for place in [place for place in self._data_keys if place[0] == tenant]:
            del self._data_keys[place]

    def _has_keys(self, session: Session) -> bool:
        count = session.one(keyed.COUNT)
        return count is not None and count[0] > 0

    def _unwrapped(self, row: Columns, tenant: int | None) -> bytes:
        _, purpose, wrapped, master_key = row
        if not self._masters:
            raise no_master_key()
        master = self._masters.get(master_key)
        if master is None:
            raise MasterKeyWrongError(
                f"this workspace's keys are wrapped by master key {master_key}, not by "
                f"{', '.join(self._masters)}; give that key; nothing was written"
            )
        return master.unwrap(wrapped, context_of(tenant, purpose))


def context_of(tenant: int | None, purpose: str) -> dict[str, str]:
    """What a wrapped key is bound to: it cannot serve another tenant or another purpose."""
    return {
        "imprint:tenant": WORKSPACE if tenant is None else str(tenant),
        "imprint:purpose": purpose,
    }


def keyed_hash(key: bytes, words: str) -> str:
    """HMAC-SHA-256 of a text, as 64 digits."""
    return hmac.digest(key, words.encode("utf-8", "surrogatepass"), "sha256").hex()


def no_master_key() -> MasterKeyMissingError:
    """What an encrypted workspace answers when no master key was given."""
    return MasterKeyMissingError(
        "this workspace is encrypted and no master key was given; set IMPRINT_MASTER_KEY_FILE, "
        "IMPRINT_MASTER_KEY or IMPRINT_KMS_KEY; nothing was changed"
    )
