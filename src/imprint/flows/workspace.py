"""The workspace: wiring of store, encoders and collections for one tenant."""

from __future__ import annotations

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from imprint.errors import (
    CollectionExistsError,
    CollectionNotFoundError,
    EncoderMismatchError,
    InvalidOptionError,
    NotFoundError,
)
from imprint.flows.answering.answer_log import AnswerLog
from imprint.flows.answering.encoding import EncoderShelf
from imprint.flows.answering.live import LiveCollection
from imprint.flows.collection import Collection, checked_modality
from imprint.flows.custody.masters import master_keys
from imprint.flows.custody.operator import Operator
from imprint.flows.policy import Policy, checked_name
from imprint.flows.teach import Act
from imprint.settings import Settings, read_settings
from imprint.store import open_store
from imprint.store.ports import CollectionRow
from imprint.store.quota.limits import read_limits
from imprint.types import MODALITIES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    from imprint.encoders.protocol import Encoder
    from imprint.store.ports import AuditRow, KeyRow, Store, TenantStore, Transaction
    from imprint.store.quota.limits import Quotas
    from imprint.store.trail.trail import Trail
    from imprint.types import Modality

DEFAULT_TENANT = "default"


def utc_now() -> datetime:
    """Wall clock of the verbs; the rooms below get their time as an argument."""
    return datetime.now(UTC)


class Shared:
    """What all tenants of one open store share: connections, encoders, threads, the log."""

    def __init__(self, store: Store, settings: Settings, shelf: EncoderShelf) -> None:
        self.store = store
        self.settings = settings
        self.shelf = shelf
        self.log = AnswerLog()
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="imprint-calibrate")
        self.live: dict[tuple[str, str], LiveCollection] = {}
        self.lock = threading.RLock()


class Workspace:
    """Collections of one tenant in one store. Made by `imprint.open`; a context manager."""

    def __init__(
        self,
        shared: Shared,
        *,
        tenant: str = DEFAULT_TENANT,
        actor: str = "library",
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._shared = shared
        self._tenant = checked_name(tenant)
        self._actor = actor
        self.clock = clock
        self.store_view: TenantStore = shared.store.tenant(self._tenant)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def settings(self) -> Settings:
        """Settings this workspace was opened with."""
        return self._shared.settings

    @property
    def shelf(self) -> EncoderShelf:
        """Encoders in use."""
        return self._shared.shelf

    @property
    def pool(self) -> ThreadPoolExecutor:
        """The thread that calibrates large collections."""
        return self._shared.pool

    @property
    def log(self) -> AnswerLog:
        """The prediction log's buffer."""
        return self._shared.log

    def tenant(self, name: str, *, actor: str | None = None) -> Workspace:
        """The same store seen by another tenant, or by another actor of this one."""
        return Workspace(self._shared, tenant=name, actor=actor or self._actor, clock=self.clock)

    def collection(
        self,
        name: str,
        modality: Modality | None = None,
        encoder: str | Encoder | Callable[..., Any] | None = None,
        policy: Policy | dict[str, Any] | None = None,
    ) -> Collection:
        """Open a collection, or create it when `modality` is given and it is not there.

        `encoder` is a catalogue name, an encoder, or any callable from a list of values to an
        (n, d) array; without one the modality's default is used. A collection keeps the encoder
        version it was created with. `policy` sets the owner's choices at creation; for an
        existing collection it must agree with what is set.

        Raises:
            CollectionNotFoundError: it is not there and no modality was given.
            ModalityMismatchError, EncoderMismatchError, CollectionExistsError: it is there, and
                differs from what was asked.
        """
        checked_name(name)
        if encoder is None and policy is None and (known := self._still_open(name, modality)):
            return known
        with self._shared.lock:
            try:
                return self._opened(name, modality, encoder, policy)
            except CollectionNotFoundError:
                if modality is None:
                    raise
            try:
                self._create(name, modality, encoder, Policy.of(policy))
            except CollectionExistsError:
                # Another process created it between our look and our write.
                return self._opened(name, modality, encoder, policy)
            return self._opened(name, modality, None, None)

    def collections(self) -> list[str]:
        """Names of all collections, sorted."""
        return [row.name for row in self.store_view.collections()]

    def drop(self, name: str) -> None:
        """Remove a collection with everything in it, raw samples included.

        Raises:
            CollectionNotFoundError: there is none of that name.
        """
        row = self.store_view.collection(name)
        with self.writing("drop", name, {}) as transaction:
            transaction.drop_collection(row.collection_id)
        with self._shared.lock:
            self._shared.live.pop((self._tenant, name), None)

    def create_key(
        self,
        name: str,
        scopes: Sequence[str],
        *,
        tenant: str | None = None,
        expires_at: datetime | None = None,
    ) -> tuple[KeyRow, str]:
        """Make an API key; the secret (second item) is shown this once and only hashed in store."""
        return self._shared.store.create_key(
            checked_name(tenant or self._tenant),
            checked_name(name),
            scopes,
            now=self.clock(),
            expires_at=expires_at,
            actor=self._actor,
        )

    def key(self, secret: str, *, now: datetime | None = None) -> KeyRow:
        """The key a secret belongs to. Raises InvalidKeyError."""
        return self._shared.store.key(secret, now=now or self.clock())

    def keys(self, *, tenant: str | None = None) -> list[KeyRow]:
        """API keys of all tenants or of one, newest first, without secrets."""
        found = self._shared.store.keys()
        return [key for key in found if tenant in (None, key.tenant)]

    def revoke_key(self, key_id: str, *, tenant: str | None = None) -> None:
        """Make a key invalid from now on; with `tenant`, only that tenant's.

        Raises:
            NotFoundError: there is none, or it is another tenant's.
        """
        now = self.clock()
        self._shared.store.revoke_key(key_id, now=now, tenant=tenant, actor=self._actor)

    def rotate_key(
        self, key_id: str, *, overlap: timedelta, tenant: str | None = None
    ) -> tuple[KeyRow, str]:
        """Make a key like this one and let the old one work for `overlap` longer, no more.

        A key that was to expire gets as long a life again as the old one had.

        Raises:
            NotFoundError: there is no such key that still works, or it is another tenant's.
        """
        now = self.clock()
        old = next((key for key in self.keys(tenant=tenant) if key.key_id == key_id), None)
        if old is None or not old.is_valid(now):
            raise NotFoundError("there is no working key with this id; list the keys to see them")
        until = None if old.expires_at is None else now + (old.expires_at - old.created_at)
        made = self.create_key(old.name, old.scopes, tenant=old.tenant, expires_at=until)
        self._shared.store.shorten_key(
            key_id, now + overlap, now=now, tenant=tenant, actor=self._actor
        )
        return made

    def newest_write(self) -> datetime | None:
        """When the newest audited write was made, by its writer's clock."""
        return self._shared.store.newest_write()

    @property
    def quotas(self) -> Quotas:
        """Limits of every tenant, and what each holds."""
        return self._shared.store.quotas

    def audit(self, limit: int = 100, after: int = 0) -> list[AuditRow]:
        """Audit rows of this tenant, oldest first."""
        return self.store_view.audit(limit, after)

    @property
    def operator(self) -> Operator:
        """Keys, encryption and erasure of all tenants, for the operator."""
        return Operator(self._shared.store.custody, self._actor, self.clock)

    @property
    def trail(self) -> Trail:
        """The audit trail of all tenants, for the operator."""
        return self._shared.store.trail

    def check(self) -> dict[str, Any]:
        """Integrity of the stored workspace, for `imprint doctor`."""
        return self._shared.store.check()

    def act(self) -> Act:
        """Who acts now."""
        return Act(self._actor, self.clock())

    def writing(
        self, verb: str, collection: str, detail: dict[str, Any]
    ) -> AbstractContextManager[Transaction]:
        """One transaction of this actor with its audit row."""
        return self.store_view.transaction(
            verb, actor=self._actor, now=self.clock(), collection=collection, detail=detail
        )

    def close(self) -> None:
        """Save calibrations, flush the prediction log and release the store."""
        shared = self._shared
        with shared.lock:
            open_now = list(shared.live.values())
            shared.live.clear()
        for live in open_now:
            live.settle(self.clock(), self._actor)
        shared.pool.shutdown(wait=True)
        shared.log.close()
        shared.store.close()

    def _still_open(self, name: str, modality: Modality | None) -> Collection | None:
        """The collection if it is open here and still there: a server asks at every request."""
        live = self._shared.live.get((self._tenant, name))
        if live is None or modality not in (None, live.row.modality):
            return None
        try:
            live.tenant.sequence(live.row.collection_id)
        except CollectionNotFoundError:
            # Dropped by another process, and perhaps made anew under its name.
            return None
        return Collection(self, live)

    def _opened(
        self,
        name: str,
        modality: Modality | None,
        encoder: object,
        policy: Policy | dict[str, Any] | None,
    ) -> Collection:
        row = self.store_view.collection(name)
        checked_modality(row, modality)
        if encoder is not None:
            version = self.shelf.given(encoder, row.modality).version
            if version != row.encoder_version:
                raise EncoderMismatchError(
                    f"the collection was taught with {row.encoder_version}, asked for {version}; "
                    "embeddings of the two cannot be compared"
                )
        if policy is not None and Policy.of(policy) != Policy.of(row.policy):
            raise CollectionExistsError(
                "the collection exists with another policy; use set_policy to change it"
            )
        live = self._shared.live.get((self._tenant, name))
        if live is None or live.row.collection_id != row.collection_id:
            live = LiveCollection(
                row, self.store_view, self.shelf, self.pool, lambda: self.act().now
            )
            self._shared.live[(self._tenant, name)] = live
        return Collection(self, live)

    def _create(self, name: str, modality: Modality, encoder: object, policy: Policy) -> None:
        if modality not in MODALITIES:
            raise InvalidOptionError(f"modality must be one of {', '.join(MODALITIES)}")
        chosen = encoder if encoder is not None else self.settings.encoder_for(modality)
        loaded = self.shelf.given(chosen, modality)
        row = CollectionRow(
            collection_id=f"c_{secrets.token_hex(10)}",
            name=name,
            modality=modality,
            encoder_name=loaded.name,
            encoder_version=loaded.version,
            dim=loaded.dim,
            policy=policy.to_json(),
            sequence=0,
            created_at=self.clock(),
        )
        with self.writing("create_collection", name, {"encoder": loaded.version}) as transaction:
            transaction.create_collection(row)


def open_workspace(
    path: str | Path | None = None,
    *,
    tenant: str = DEFAULT_TENANT,
    actor: str = "library",
    settings: Settings | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    read_only: bool = False,
) -> Workspace:
    """Open a workspace: in memory without a path, else a folder that is created when missing.

    Several processes may open the same folder. `progress(stage, done, total)` hears of encoder
    downloads and builds.

    Raises:
        NewerWorkspaceError: a newer Imprint wrote it.
        WorkspaceCorruptError: it is damaged or is no workspace.
        InvalidOptionError: the path is an address of a back end this version does not have.
        MasterKeyMissingError, MasterKeyWrongError: it is encrypted, and its key is not the one set.
    """
    chosen = settings or read_settings()
    limits = read_limits(chosen.quotas)
    store = open_store(path, read_only=read_only, master_keys=master_keys(chosen))
    store.quotas.defaults = limits
    return Workspace(
        Shared(store, chosen, EncoderShelf(chosen, progress)), tenant=tenant, actor=actor
    )
