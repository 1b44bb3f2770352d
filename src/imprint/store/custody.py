"""What the operator of a workspace may do with all of its tenants: keys, erasure, copies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imprint.store.sealing.rotation import Resealed, reseal, rewrap
from imprint.store.sealing.status import KeyState, TenantState, key_state, tenant_states

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

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
