"""The operator's verbs over all tenants of an open workspace, with a clock and an actor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imprint.errors import InvalidOptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from imprint.store.copies.manifest import BackupReport
    from imprint.store.custody import Custody
    from imprint.store.erasing.erase import Proof
    from imprint.store.sealing.rotation import Resealed
    from imprint.store.sealing.status import KeyState, TenantState


class Operator:
    """Keys, encryption, copies, erasure. Get one from `Workspace.operator`."""

    def __init__(self, custody: Custody, actor: str, clock: Callable[[], datetime]) -> None:
        self._custody = custody
        self._actor = actor
        self._clock = clock

    def keys(self) -> KeyState:
        """Which master key is in use and what is sealed."""
        return self._custody.keys()

    def tenants(self) -> list[TenantState]:
        """Every tenant, erased ones included (without their names)."""
        return self._custody.tenants()

    def encrypt(
        self,
        tenant: str | None = None,
        *,
        rotate: bool = False,
        heard: Callable[[int], None] = lambda _: None,
    ) -> list[Resealed]:
        """Seal what is plain yet, of one tenant or of all; with `rotate`, under new data keys.

        The workspace stays in use meanwhile. What is interrupted goes on when called again.

        Raises:
            MasterKeyMissingError: there is no master key.
        """
        living = [one.name for one in self.tenants() if one.erased_at is None]
        chosen = living if tenant is None else [tenant]
        return [
            self._custody.reseal(
                name, actor=self._actor, clock=self._clock, rotate=rotate, heard=heard
            )
            for name in chosen
        ]

    def replace_master_key(self, file: Path) -> tuple[str, int]:
        """Wrap every data key with the master key in a file; returns its id and how many.

        From then on the workspace opens with that key only.
        """
        from imprint.store.sealing.masters.local import read_key_file

        new = read_key_file(file)
        if new.key_id == self.keys().master_key:
            raise InvalidOptionError("that file holds the master key in use already")
        return new.key_id, self._custody.rewrap(new, actor=self._actor, clock=self._clock)

    def backup(self, to: Path) -> BackupReport:
        """Copy the workspace to a new folder while it is in use.

        Raises:
            ConflictError: something is there already.
            StorageFullError, ReadOnlyError: nothing is left of the attempt.
        """
        return self._custody.backup(to, actor=self._actor, now=self._clock())

    def erase(self, tenant: str, markers: Sequence[bytes] = ()) -> Proof:
        """Destroy everything of a tenant, and prove it by searching every byte that is kept.

        Raises:
            NotFoundError: there is no such tenant, or it was erased before.
        """
        return self._custody.erase(tenant, actor=self._actor, now=self._clock(), markers=markers)


def create_master_key(file: Path) -> str:
    """Make a master key in a new file of mode 600; returns its id.

    Raises:
        ConflictError: the file is there already.
    """
    from imprint.store.sealing.masters.local import create_key_file

    return create_key_file(file).key_id
