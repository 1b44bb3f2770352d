"""The live side of a collection: its current snapshot, kept level with the store.

Reads compare one cheap counter with the store, so that a write by any thread or process is seen by
the next answer. Calibration of a small collection happens on the way; that of a large one in the
background, while the thresholds fitted last go on answering.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from imprint.errors import BusyError, ConflictError, InvalidOptionError, ReadOnlyError
from imprint.flows.answering.expiry import due_now, earlier, evict_due
from imprint.flows.answering.snapshot import Snapshot
from imprint.flows.policy import Policy
from imprint.heads.calibration import Calibration
from imprint.store.ports import GenerationRow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from imprint.encoders.protocol import Encoder
    from imprint.flows.answering.encoding import EncoderShelf
    from imprint.flows.teaching.screening import Screener
    from imprint.store.ports import Change, CollectionRow, TenantStore
    from imprint.types import UnitVector

# Up to here fitting the calibration takes milliseconds and is done before answering.
_CALIBRATE_INLINE_ROWS = 200


class LiveCollection:
    """Owner of the current snapshot of one collection in this process."""

    def __init__(
        self,
        row: CollectionRow,
        tenant: TenantStore,
        shelf: EncoderShelf,
        pool: ThreadPoolExecutor,
        clock: Callable[[], datetime],
    ) -> None:
        self.row = row
        self.tenant = tenant
        self._shelf = shelf
        self._pool = pool
        self.clock = clock
        # When the next support stops answering; None where none ever does.
        self._next_expiry: datetime | None = None
        self._lock = threading.RLock()
        self._snapshot: Snapshot | None = None
        self._by_content: dict[str, tuple[str, str | None]] = {}
        self._content_of: dict[str, str] = {}
        self._held: dict[str, str | None] = {}
        self._pending: Future[None] | None = None
        self._saved_generation = -1
        # A rule of the library's caller that masks texts; it cannot be stored.
        self.mask_hook: Callable[[str], tuple[str, int]] | None = None
        # What teaching keeps beside the snapshot; derived state as well. None until first used.
        self.screener: Screener | None = None

    @property
    def encoder(self) -> Encoder:
        """The encoder every support here was embedded by."""
        return self._shelf.versioned(self.row.encoder_version)

    @property
    def n_held(self) -> int:
        """How many supports await review, as of `level`."""
        return len(self._held)

    def n_held_of(self, label: str | None) -> int:
        """How many of them are of one class."""
        return sum(one == label for one in list(self._held.values()))

    @property
    def policy(self) -> Policy:
        """The owner's choices, as of the last write seen."""
        return Policy.of(self.row.policy)

    def current(self) -> Snapshot:
        """Return the snapshot of the newest committed write, calibrated or soon to be."""
        snapshot = self.level()
        if snapshot.decider.is_stale():
            snapshot = self._calibrated(snapshot)
        return snapshot

    def level(self) -> Snapshot:
        """Return the snapshot of the newest committed write; its calibration may be older.

        What has expired since the last call is taken out first, as a write.
        """
        snapshot = self._newest()
        if self._next_expiry is not None and (now := self.clock()) >= self._next_expiry:
            return self._without_expired(now)
        return snapshot

    def _newest(self) -> Snapshot:
        sequence = self.tenant.sequence(self.row.collection_id)
        snapshot = self._snapshot
        if snapshot is None or snapshot.sequence < sequence:
            with self._lock:
                snapshot = self._caught_up(sequence)
        return snapshot

    def apply(self, change: Change, ends: datetime | None) -> None:
        """Take this process's own write without reading it back, when nothing came between.

        `ends` is when the support stops answering.
        """
        with self._lock:
            self._next_expiry = earlier(self._next_expiry, ends)
            snapshot = self._snapshot
            if snapshot is None or snapshot.sequence != change.sequence - 1:
                return
            following = snapshot.with_changes([change], change.sequence)
            if following is not None:
                self._note(change)
                self._snapshot = following

    def refuse_opposed(self, vector: UnitVector, label: str | None) -> None:
        """Raise OpposedSupportsError when this support would leave its class no direction."""
        supports = self.level().decider.supports
        if label in supports.labels:
            supports.checked_sum(vector, supports.labels.index(label))

    def known_content(self, content_hash: str) -> tuple[str, str | None] | None:
        """(support_id, label) of the live support with exactly this content, as of `level`."""
        return self._by_content.get(content_hash)

    def as_of(self, sequence: int, generation: int, policy: Policy) -> Snapshot:
        """Rebuild the snapshot that answered at `sequence` with the calibration of `generation`."""
        then = self.tenant.as_of(self.row.collection_id, generation)
        fitted = self._build(then, generation, policy)
        if generation == sequence:
            return fitted
        now = self.tenant.as_of(self.row.collection_id, sequence)
        kept, known = {one.support_id for one in now}, {one.support_id for one in then}
        # What changed between the two is applied as it was then: weights follow, not fitted anew.
        steps = [replace(one, removed=True) for one in then if one.support_id not in kept]
        steps += [one for one in now if one.support_id not in known]
        following = fitted.with_changes(steps, sequence)
        if following is not None:
            return following
        return self._build(now, sequence, policy, saved=(generation, fitted.decider.calibration))

    def refitted(self) -> Snapshot:
        """Return the current snapshot, fitted to just the supports it holds, and answer with it."""
        with self._lock:
            snapshot = self.level()
            if snapshot.generation != snapshot.sequence:
                snapshot = snapshot.recalibrated()
                self._snapshot = snapshot
            return snapshot

    def settle(self, now: datetime, actor: str) -> None:
        """Finish a calibration under way and save it, so that the next process need not fit it."""
        if self._snapshot is None:
            return
        if self._pending is not None:
            self._pending.result()
        snapshot = self.current()
        if snapshot.decider.is_stale():
            self._recalibrate()
            snapshot = self.current()
        if snapshot.generation == self._saved_generation or not len(snapshot.index):
            return
        self._save(snapshot, now, actor)

    def _save(self, snapshot: Snapshot, now: datetime, actor: str) -> None:
        parameters: dict[str, Any] = snapshot.decider.calibration.to_parameters()
        row = GenerationRow(
            snapshot.generation, self.row.encoder_version, snapshot.generation, parameters, now
        )
        try:
            with self.tenant.transaction(
                "calibrate", actor=actor, now=now, collection=self.row.name
            ) as writing:
                writing.put_generation(self.row.collection_id, row)
        except (ConflictError, ReadOnlyError):
            # Another process saved this generation already, or nothing may be written here: a
            # calibration is derived and can be fitted again.
            return
        self._saved_generation = snapshot.generation

    def _caught_up(self, sequence: int) -> Snapshot:
        snapshot = self._snapshot
        if snapshot is not None and snapshot.sequence >= sequence:
            return snapshot
        row = self.tenant.collection(self.row.name)
        same_policy = row.policy == self.row.policy
        self.row = row
        if snapshot is not None and same_policy:
            changes = self.tenant.changes(self.row.collection_id, snapshot.sequence)
            self._next_expiry = earlier(self._next_expiry, self._first_end(snapshot.sequence))
            reached = max([sequence, *(change.sequence for change in changes)])
            following = snapshot.with_changes(changes, reached)
            if following is not None:
                for change in changes:
                    self._note(change)
                self._snapshot = following
                return following
        changes = self.tenant.changes(self.row.collection_id, 0)
        self._next_expiry = self._first_end()
        reached = max([sequence, *(change.sequence for change in changes)])
        self._by_content.clear()
        self._content_of.clear()
        self._held.clear()
        for change in changes:
            self._note(change)
        saved = self._saved() if same_policy else None
        self._snapshot = self._build(changes, reached, self.policy, saved=saved)
        return self._snapshot

    def _first_end(self, after: int = 0, beyond: datetime | None = None) -> datetime | None:
        lifetimes, max_age = self.tenant.lifetimes, self.policy.max_age
        return lifetimes.next_expiry(self.row.collection_id, max_age, after=after, beyond=beyond)

    def _without_expired(self, now: datetime) -> Snapshot:
        max_age = self.policy.max_age
        try:
            evict_due(self.tenant, self.row, max_age, now)
        except (ReadOnlyError, BusyError):
            # It cannot be written now: it does not answer all the same.
            due = set(due_now(self.tenant, self.row, max_age, now))
            with self._lock:
                snapshot = self._newest()
                changes = self.tenant.changes(self.row.collection_id, 0)
                kept = [one for one in changes if one.support_id not in due]
                self._snapshot = self._build(kept, snapshot.sequence, self.policy)
                self._next_expiry = self._first_end(beyond=now)
                return self._snapshot
        with self._lock:
            snapshot = self._newest()
            self._next_expiry = self._first_end(beyond=now)
            return snapshot

    def _saved(self) -> tuple[int, Calibration] | None:
        row = self.tenant.generation(self.row.collection_id)
        if row is None or row.encoder_version != self.row.encoder_version:
            return None
        try:
            calibration = Calibration.from_parameters(row.parameters)
        except InvalidOptionError:
            # Saved by another version of Imprint: derived state, and fitted again.
            return None
        self._saved_generation = row.generation
        return row.generation, calibration

    def _build(
        self,
        changes: Sequence[Change],
        sequence: int,
        policy: Policy,
        saved: tuple[int, Calibration] | None = None,
    ) -> Snapshot:
        return Snapshot.build(
            changes,
            dim=self.row.dim,
            policy=policy,
            background=self.encoder.background,
            sequence=sequence,
            saved=saved,
        )

    def _calibrated(self, snapshot: Snapshot) -> Snapshot:
        if len(snapshot.index) > _CALIBRATE_INLINE_ROWS:
            with self._lock:
                if self._pending is None or self._pending.done():
                    self._pending = self._pool.submit(self._recalibrate)
            return snapshot
        with self._lock:
            latest = self._snapshot or snapshot
            if latest.decider.is_stale():
                latest = latest.recalibrated()
                self._snapshot = latest
            return latest

    def _recalibrate(self) -> None:
        """Fit outside the lock, then bring the result up to date with what came meanwhile."""
        taken, policy = self._snapshot, self.row.policy
        if taken is None:
            return
        fitted = taken.recalibrated()
        with self._lock:
            latest = self._snapshot
            if latest is None or self.row.policy != policy:
                # Fitted for a policy that was replaced meanwhile: the newer snapshot stands.
                return
            if latest.sequence != taken.sequence:
                changes = self.tenant.changes(self.row.collection_id, taken.sequence)
                since = [change for change in changes if change.sequence <= latest.sequence]
                caught_up = fitted.with_changes(since, latest.sequence)
                if caught_up is None:
                    return
                fitted = caught_up
            self._snapshot = replace(fitted)

    def _note(self, change: Change) -> None:
        previous = self._content_of.pop(change.support_id, None)
        if previous is not None:
            self._by_content.pop(previous, None)
        self._held.pop(change.support_id, None)
        if change.state == "quarantined" and not change.removed:
            self._held[change.support_id] = change.label
        if not change.removed:
            self._content_of[change.support_id] = change.content_hash
            self._by_content[change.content_hash] = (change.support_id, change.label)
