"""What is encrypted and what is not, for `imprint doctor` and the tenants' list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imprint.store.rows import to_moment
from imprint.store.schema.sealed import keyed

if TYPE_CHECKING:
    from datetime import datetime

    from imprint.store.workspace import SqlStore


@dataclass(frozen=True, slots=True)
class KeyState:
    """Which master key is in use, how many data keys there are, and whom plain rows belong to."""

    master_key: str | None
    n_data_keys: int
    n_old_keys: int
    n_tenants: int
    n_with_plain_rows: int


@dataclass(frozen=True, slots=True)
class TenantState:
    """A tenant as its operator sees it. Of an erased one the name is gone."""

    number: int
    name: str
    sealed_at: datetime | None
    erased_at: datetime | None
    n_keys: int


def key_state(store: SqlStore) -> KeyState:
    """Sum up the keys of a workspace."""
    with store.connections.reading() as session:
        keys = session.rows(keyed.EVERY)
        living = [row for row in session.rows(keyed.TENANTS) if row[3] is None]
    return KeyState(
        master_key=store.keyring.master_key_id,
        n_data_keys=len(keys),
        n_old_keys=sum(row[5] is not None for row in keys),
        n_tenants=len(living),
        n_with_plain_rows=sum(row[2] is None for row in living),
    )


def tenant_states(store: SqlStore) -> list[TenantState]:
    """Every tenant by number."""
    with store.connections.reading() as session:
        owners = [row[4] for row in session.rows(keyed.EVERY)]
        rows = session.rows(keyed.TENANTS)
    return [
        TenantState(
            number,
            name.lstrip("\x1f"),
            None if sealed_at is None else to_moment(sealed_at),
            None if erased_at is None else to_moment(erased_at),
            owners.count(number),
        )
        for number, name, sealed_at, erased_at in rows
    ]
