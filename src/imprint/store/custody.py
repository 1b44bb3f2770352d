"""What the operator of a workspace may do with all of its tenants: keys, erasure, copies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imprint.store.copies.backup import backed_up
from imprint.store.erasing.elsewhere import erased_elsewhere
from imprint.store.erasing.erase import Proof, erase_tenant
from imprint.store.sealing.rotation import Resealed, reseal, rewrap
from imprint.store.sealing.status import KeyState, TenantState, key_state, tenant_states

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from imprint.store.copies.manifest import BackupReport
    from imprint.store.sealing.masters.wrapper import KeyWrapper
    from imprint.store.workspace import SqlStore


class Custody:
    """The operator's verbs; each writes its audit rows under `actor`."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    def keys(self) -> KeyState:
        """Which master key is in use and what is sealed."""
        return key_state(self._store)

    def tenants(self) -> list[TenantState]:
        """Every tenant, erased ones included (without their names)."""
        return tenant_states(self._store)

    def erase(
        self, tenant: str, *, actor: str, now: datetime, markers: Sequence[bytes] = ()
    ) -> Proof:
        """Destroy everything of a tenant, here and in the copies on record, and prove it.

        Raises:
            NotFoundError: there is no such tenant, or it was erased before.
        """
        store = self._store
        proof, witnesses = erase_tenant(
            store, store.folder, tenant, actor=actor, now=now, markers=markers
        )
        proof.backups = erased_elsewhere(store, tenant, witnesses, actor=actor, now=now)
        return proof

    def backup(self, to: Path, *, actor: str, now: datetime) -> BackupReport:
        """Copy the workspace to a new folder while it is in use.

        Raises:
            ConflictError: something is there already.
            StorageFullError, ReadOnlyError: nothing is left of the attempt.
        """
        return backed_up(self._store, to, actor=actor, now=now)

    def reseal(
        self,
        tenant: str,
        *,
        actor: str,
        clock: Callable[[], datetime],
        rotate: bool,
        heard: Callable[[int], None] = lambda _: None,
    ) -> Resealed:
        """Seal everything of a tenant with its key in use; with `rotate`, with a new one."""
        return reseal(self._store, tenant, actor=actor, clock=clock, rotate=rotate, heard=heard)

    def rewrap(self, new: KeyWrapper, *, actor: str, clock: Callable[[], datetime]) -> int:
        """Wrap every data key with another master key; returns how many."""
        return rewrap(self._store, new, actor=actor, clock=clock)
