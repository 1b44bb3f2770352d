"""Changing keys while the workspace is in use: data keys in batches, the master key at once.

Sealing anew runs batch after batch, each a transaction of its own, and can be stopped anywhere:
what was sealed by the old key stays readable, and the next run goes on. The old key is destroyed
only by the transaction that finds nothing sealed by it any more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from imprint.store.schema import reads
from imprint.store.schema.sealed import keyed, resealing
from imprint.store.sealing.keyring import Opener, context_of, no_master_key
from imprint.store.sealing.kinds import KINDS, Kind, Resealing

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from imprint.store.sealing.masters.wrapper import KeyWrapper
    from imprint.store.session import Session
    from imprint.store.workspace import SqlStore
    from imprint.store.writing.scope import Scope

BATCH = 500


@dataclass(slots=True)
class Resealed:
    """What sealing anew did for one tenant. `finished`: no plain row and no old key is left."""

    tenant: str
    rotated: bool
    n_rows: dict[str, int] = field(default_factory=dict)
    n_old_keys: int = 0
    finished: bool = False


def reseal(
    store: SqlStore,
    tenant: str,
    *,
    actor: str,
    clock: Callable[[], datetime],
    rotate: bool,
    heard: Callable[[int], None] = lambda _: None,
) -> Resealed:
    """Seal everything of a tenant with the key in use; `rotate` makes a new one first.

    A rotation that was interrupted is finished and no further key is made. `heard` is told how
    many rows were done so far.

    Raises:
        MasterKeyMissingError: there is no master key.
    """
    if not store.keyring.enabled:
        raise no_master_key()
    work = _Work(store, tenant, actor, clock, heard)
    done = Resealed(tenant, rotated=work.started(rotate=rotate))
    for kind in KINDS:
        done.n_rows[kind.name] = work.all_of(kind)
    done.n_old_keys, done.finished = work.ended()
    store.connections.checkpoint()
    return done


def rewrap(store: SqlStore, new: KeyWrapper, *, actor: str, clock: Callable[[], datetime]) -> int:
    """Wrap every data key with another master key, in one transaction; returns how many.

    No row is touched. The old master key is of no more use to this workspace, but still opens
    copies made before.

    Raises:
        MasterKeyMissingError, MasterKeyWrongError, KeyServiceError: nothing was changed.
    """
    if not store.keyring.enabled:
        raise no_master_key()
    with store.connections.reading() as session:
        tenants = [row[1] for row in session.rows(keyed.TENANTS) if row[3] is None]
        rows = session.rows(keyed.EVERY)
        # Asked of the key services before the write lock is taken: they may be far away.
        keys = {row[0]: store.keyring.unwrapped(row[:4], row[4]) for row in rows}
        wrapped = {row[0]: new.wrap(keys[row[0]], context_of(row[4], row[1])) for row in rows}
    if not tenants:
        return 0
    detail = {"master_key": new.key_id, "n_keys": len(wrapped)}
    with store.tenant(tenants[0]).transaction(
        "rotate_master_key", actor=actor, now=clock(), detail=detail
    ) as transaction:
        session = transaction.scope.session
        for row in session.rows(keyed.EVERY):
            number, purpose, _, _, owner, _ = row
            value = wrapped.get(number)
            if value is None:  # made since we looked
                key = store.keyring.unwrapped(row[:4], owner)
                value = new.wrap(key, context_of(owner, purpose))
            session.run(
                keyed.REWRAP,
                {"key": number, "new_wrapped": value, "new_master_key": new.key_id},
            )
    return len(wrapped)


class _Work:
    """One run over one tenant."""

    def __init__(
        self,
        store: SqlStore,
        tenant: str,
        actor: str,
        clock: Callable[[], datetime],
        heard: Callable[[int], None],
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._actor = actor
        self._clock = clock
        self._heard = heard
        self._n_done = 0

    def started(self, *, rotate: bool) -> bool:
        """Make sure there is a key, a new one when `rotate`; returns whether one was made."""
        detail: dict[str, object] = {}
        tenant = self._store.tenant(self._tenant)
        with tenant.transaction(
            "reseal", actor=self._actor, now=self._clock(), detail=detail
        ) as transaction:
            scope = transaction.scope
            mine = {"tenant": scope.tenant}
            under_way = bool(scope.session.rows(keyed.RETIRED, mine))
            fresh = rotate and not under_way
            if fresh:
                at = {"tenant_number": scope.tenant, "at": scope.now}
                scope.session.run(keyed.RETIRE, at)
                self._store.keyring.make(scope.session, scope.tenant, "seal", scope.now)
            detail |= {"new_key": fresh, "continued": under_way}
        return fresh

    def all_of(self, kind: Kind) -> int:
        """Seal every row of a kind anew; returns how many."""
        after: tuple[object, ...] | None = (0, 0, "")[: kind.n_key]
        if kind.name == "requests":
            after = ("",)
        n_rows = 0
        while after is not None and self._any(kind, after):
            n_batch, after = self._batch(kind, after)
            n_rows += n_batch
            self._n_done += n_batch
            self._heard(self._n_done)
        return n_rows

    def ended(self) -> tuple[int, bool]:
        """Destroy old keys if nothing needs them; returns how many, and whether all is sealed."""
        detail: dict[str, object] = {}
        tenant = self._store.tenant(self._tenant)
        with tenant.transaction(
            "reseal_end", actor=self._actor, now=self._clock(), detail=detail
        ) as transaction:
            scope = transaction.scope
            mine = {"tenant": scope.tenant}
            active = {**mine, "active": self._active(scope)}
            left = {
                name: (scope.session.one(statement, active) or (0,))[0]
                for name, statement in resealing.LEFT.items()
            }
            finished = not any(left.values())
            n_old = len(scope.session.rows(keyed.RETIRED, mine)) if finished else 0
            if finished:
                scope.session.run(keyed.DROP_RETIRED, mine)
                at = {"tenant_number": scope.tenant, "at": scope.now}
                scope.session.run(keyed.ALL_SEALED, at)
            detail |= {"n_old_keys": n_old, "finished": finished}
        return n_old, finished

    def _any(self, kind: Kind, after: tuple[object, ...]) -> bool:
        """Whether a row is left: no transaction is made for nothing."""
        with self._store.connections.reading() as session:
            row = session.one(reads.TENANT, {"name": self._tenant})
            if row is None:
                return False
            key = session.rows(keyed.IN_USE, {"tenant": row[0]})
            active = next(found[0] for found in key if found[1] == "seal")
            return bool(_page(session, kind, row[0], active, after, 1))

    def _batch(
        self, kind: Kind, after: tuple[object, ...]
    ) -> tuple[int, tuple[object, ...] | None]:
        detail: dict[str, object] = {"kind": kind.name}
        tenant = self._store.tenant(self._tenant)
        with tenant.transaction(
            "reseal", actor=self._actor, now=self._clock(), detail=detail
        ) as transaction:
            scope = transaction.scope
            active = self._active(scope)
            rows = _page(scope.session, kind, scope.tenant, active, after, BATCH)
            detail["n_rows"] = len(rows)
            if not rows or scope.sealer is None:
                return 0, None
            opener = Opener(self._store.keyring, scope.session, scope.tenant)
            work = Resealing(scope, opener, scope.sealer)
            scope.session.run(kind.put, [kind.reseal(work, row) for row in rows])
            return len(rows), tuple(rows[-1][: kind.n_key])

    @staticmethod
    def _active(scope: Scope) -> int:
        if scope.sealer is None:
            raise no_master_key()
        return scope.sealer.number


def _page(
    session: Session, kind: Kind, tenant: int, active: int, after: tuple[object, ...], limit: int
) -> list[tuple[object, ...]]:
    places = {f"after_{number}": value for number, value in enumerate(after)}
    return session.rows(kind.page, {"tenant": tenant, "active": active, "limit": limit, **places})
