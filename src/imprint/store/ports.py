"""What the rest of the house may ask of a store: records, and repositories bound to one tenant.

A store is opened once per workspace. Everything a tenant owns is reached through `TenantStore`,
which carries the tenant in itself: no other room knows what a tenant is. Every writing verb is one
transaction (`TenantStore.transaction`) that includes its audit row and advances the collection's
`sequence`; nothing is visible or durable until the `with` block ends without an exception, and when
it has ended everything is durable (SQLite WAL with synchronous FULL, files fsynced first).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from imprint.store.custody import Custody
    from imprint.store.erasing.lifetimes import Lifetimes
    from imprint.store.quota.limits import Quotas
    from imprint.store.trail.trail import Trail
    from imprint.types import Modality, RawItem, Support, SupportState, UnitVector


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """A collection as stored. `policy` is a JSON object; `sequence` counts its writes."""

    collection_id: str
    name: str
    modality: Modality
    encoder_name: str
    encoder_version: str
    dim: int
    policy: dict[str, Any]
    sequence: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewSupport:
    """A support about to be stored with its embedding and (unless embedding-only) raw bytes.

    `label` None marks a negative: a sample of no class ("not this one"). `expires_at` is when it
    is to stop answering; None: when its collection's maximum age says so.
    """

    support_id: str
    label: str | None
    state: SupportState
    encoder_version: str
    content_hash: str
    vector: UnitVector = field(repr=False)
    raw: RawItem | None = field(repr=False)
    origin: str
    metadata: dict[str, Any] = field(default_factory=dict)
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One support's present state, as derived structures need it.

    `label` is None for a negative. `removed` is True when the support was forgotten. `sequence`
    is the write that last touched it. Of an erased support the vector is all zeros and the content
    hash empty. `vector` is a read-only row of a matrix that all changes of one call share.
    """

    support_id: str
    label: str | None
    state: SupportState
    removed: bool
    sequence: int
    content_hash: str
    vector: UnitVector = field(repr=False)


@dataclass(frozen=True, slots=True)
class Revision:
    """What a support is to become: its label, its state, and whether it is forgotten.

    With `renewed_until`, a support that is brought back lives until then, whatever its age.
    """

    support_id: str
    label: str | None
    state: SupportState
    removed: bool = False
    renewed_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class GenerationRow:
    """A saved calibration: which supports it was fitted on (`sequence`) and its parameters."""

    generation: int
    encoder_version: str
    sequence: int
    parameters: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One line of the prediction log: enough to replay the answer, no content."""

    answer_id: str
    collection_id: str
    content_hash: str
    vector: UnitVector = field(repr=False)
    encoder_version: str
    generation: int
    sequence: int
    decision: str
    label: str | None
    confidence: float
    detail: dict[str, Any]
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class KeyRow:
    """An API key without its secret. `scopes` are words such as "teach" and "classify"."""

    key_id: str
    tenant: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def is_valid(self, now: datetime) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One audited act. `detail` holds ids, names and counts, never content."""

    audit_id: int
    at: datetime
    actor: str
    verb: str
    collection: str | None
    detail: dict[str, Any]


class Transaction(Protocol):
    """Writes of one verb; they become visible and durable together, or not at all."""

    def create_collection(self, row: CollectionRow) -> None:
        """Raises CollectionExistsError when the tenant has that name already."""
        ...

    def update_policy(self, collection_id: str, policy: dict[str, Any]) -> int:
        """Replace the policy; returns the new sequence."""
        ...

    def drop_collection(self, collection_id: str) -> None:
        """Remove a collection and everything in it, raw files included (after commit)."""
        ...

    def add_supports(self, collection_id: str, supports: Sequence[NewSupport]) -> list[int]:
        """Store supports; returns the sequence each one got (one per support, increasing).

        When it raises, nothing of this call is stored, and the transaction may go on.

        Raises:
            DuplicateSupportError: a live support has this content under the same label; the error
                names it.
            LabelConflictError: a live support has this content under another label.
            ConflictError: a support of this collection, live or not, has one of these ids.
            EncoderMismatchError: a vector is of another encoder version or width.
            VectorError: a vector holds NaN or infinity.
        """
        ...

    def remove_supports(
        self,
        collection_id: str,
        support_ids: Sequence[str],
        *,
        erase: bool,
        reason: str | None = None,
    ) -> int:
        """Forget supports; returns the new sequence. `erase` destroys vector and raw bytes too.

        What was forgotten before can still be erased. `reason` says in a word why they go.

        Raises:
            SupportNotFoundError: one of them is not there (nothing is removed then).
        """
        ...

    def revise_supports(self, collection_id: str, revisions: Sequence[Revision]) -> int:
        """Give supports another label or state, forget them, or bring forgotten ones back.

        All in one write; returns its sequence. What each was before stays on record, so that
        `as_of` still tells how earlier answers were made.

        Raises:
            SupportNotFoundError: one of them is not there, or was erased; nothing is changed.
            LabelConflictError: a live support has the content of one to be brought back.
        """
        ...

    def put_generation(self, collection_id: str, row: GenerationRow) -> None:
        """Save a calibration (does not advance the sequence).

        Raises:
            ConflictError: that generation is saved already; generations never change.
            EncoderMismatchError: it is of another encoder version than the collection.
        """
        ...

    def put_feedback(self, answer_id: str, label: str | None, at: datetime) -> None:
        """Store a correction. Raises AnswerNotFoundError."""
        ...

    def remember_request(self, key: str, fingerprint: str, outcome: dict[str, Any]) -> None:
        """Bind an idempotency key to the outcome of this transaction, for seven days.

        Raises:
            IdempotencyConflictError: the key is bound already (to this request or another one:
                `TenantStore.recall_request` tells).
        """
        ...


class TenantStore(Protocol):
    """Everything of one tenant. Reads see the last commit, by any process."""

    @property
    def lifetimes(self) -> Lifetimes:
        """When supports expire, and until when they can be brought back."""
        ...

    def transaction(
        self,
        verb: str,
        *,
        actor: str,
        now: datetime,
        collection: str | None = None,
        detail: dict[str, Any] | None = None,
    ) -> AbstractContextManager[Transaction]:
        """One write with its audit row. One writer at a time per workspace, across processes.

        `detail` is written when the block ends and may be completed until then. What a read of the
        same thread sees inside the block differs between back ends: do not read there.

        Raises:
            StorageFullError, ReadOnlyError, WorkspaceLockedError, WorkspaceCorruptError: nothing
            was written.
        """
        ...

    def collections(self) -> list[CollectionRow]:
        """All collections, by name."""
        ...

    def collection(self, name: str) -> CollectionRow:
        """Raises CollectionNotFoundError."""
        ...

    def sequence(self, collection_id: str) -> int:
        """The collection's committed write counter; cheap enough for every read (< 100 us)."""
        ...

    def changes(self, collection_id: str, after: int = 0) -> list[Change]:
        """Supports touched after a sequence, in order of that touch; 0 gives all live ones.

        With after > 0, removed supports are included (marked `removed`), so that a reader can
        bring derived state up to date.
        """
        ...

    def as_of(self, collection_id: str, sequence: int) -> list[Change]:
        """The supports that were live right after that sequence (none erased since)."""
        ...

    def supports(
        self,
        collection_id: str,
        *,
        label: str | None = None,
        state: SupportState | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> list[Support]:
        """A page of live supports in teaching order; `after` is the last support_id seen."""
        ...

    def support(self, collection_id: str, support_id: str) -> Support:
        """Raises SupportNotFoundError."""
        ...

    def find_content(self, collection_id: str, content_hash: str) -> Support | None:
        """The live support with exactly this content, if any."""
        ...

    def raw(self, collection_id: str, support_id: str) -> RawItem | None:
        """Raw bytes of a live support; None when only its embedding is kept.

        Raises:
            SupportNotFoundError: there is no such live support.
            BlobMissingError: the bytes are gone or not those that were stored.
        """
        ...

    def generation(self, collection_id: str, generation: int | None = None) -> GenerationRow | None:
        """A saved calibration, the newest by default."""
        ...

    def log_answers(self, rows: Iterable[AnswerRow]) -> None:
        """Append to the prediction log in one commit (oldest rows beyond the cap are dropped)."""
        ...

    def answer(self, answer_id: str) -> AnswerRow:
        """Raises AnswerNotFoundError."""
        ...

    def recent_answers(self, collection_id: str, limit: int = 256) -> list[AnswerRow]:
        """The newest rows of the prediction log, newest first."""
        ...

    def feedback(self, collection_id: str) -> list[tuple[str, str | None, datetime]]:
        """(answer_id, corrected label or None, when), oldest first."""
        ...

    def recall_request(self, key: str) -> tuple[str, dict[str, Any]] | None:
        """(fingerprint, outcome) bound to an idempotency key, or None."""
        ...

    def audit(self, limit: int = 100, after: int = 0) -> list[AuditRow]:
        """Audit rows of this tenant, oldest first."""
        ...


class Store(Protocol):
    """An open workspace back end."""

    @property
    def trail(self) -> Trail:
        """The audit trail of all tenants: listing, exporting, verifying."""
        ...

    @property
    def custody(self) -> Custody:
        """What the operator may do with all tenants: keys, erasure, copies."""
        ...

    def tenant(self, name: str) -> TenantStore:
        """Repositories bound to one tenant (created on first use)."""
        ...

    @property
    def quotas(self) -> Quotas:
        """Limits of the tenants, and what they hold."""
        ...

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
        """Make a key; the secret (second item) is returned once and only its hash is stored."""
        ...

    def key(self, secret: str, *, now: datetime) -> KeyRow:
        """Raises InvalidKeyError: unknown, expired and revoked read the same."""
        ...

    def keys(self) -> list[KeyRow]:
        """All keys, newest first."""
        ...

    def revoke_key(
        self, key_id: str, *, now: datetime, tenant: str | None = None, actor: str = "operator"
    ) -> None:
        """Make a key invalid from now on; with `tenant`, only a key of that tenant.

        Raises:
            NotFoundError: there is none, or it is another tenant's.
        """
        ...

    def shorten_key(
        self,
        key_id: str,
        until: datetime,
        *,
        now: datetime,
        tenant: str | None = None,
        actor: str = "operator",
    ) -> None:
        """Let a key expire at `until` if it would not sooner. Raises NotFoundError."""
        ...

    def newest_write(self) -> datetime | None:
        """When the newest audited write was made, by its writer's clock; None before the first."""
        ...

    def check(self) -> dict[str, Any]:
        """Integrity report for `imprint doctor`: page check, schema version, sizes, lost files."""
        ...

    def close(self) -> None:
        """Release files and locks. Further calls raise."""
        ...
