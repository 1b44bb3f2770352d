"""Following the chain from its first row, and saying where it breaks."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from imprint.store.schema import trail
from imprint.store.trail.append import HEAD_LOST, head_of
from imprint.store.trail.chain import EMPTY, Content, Head, digest_of, linked, seal_of

if TYPE_CHECKING:
    from imprint.store.session import Columns, Session

ROWS_AT_ONCE = 1_000
MOST_PROBLEMS = 100
ERASED = "tenant_erased"


class TrailProblem(NamedTuple):
    """One place where the trail is not what was written; `audit_id` None is the head."""

    audit_id: int | None
    problem: str


@dataclass(frozen=True, slots=True)
class TrailReport:
    """What following the chain found. `anchor` is worth keeping where no writer can reach it."""

    ok: bool
    n_rows: int
    n_erased: int
    anchor: str
    sealed: bool
    problems: tuple[TrailProblem, ...]


@dataclass(slots=True)
class _Walk:
    """Running state: the hash so far, how many rows, what was wrong."""

    erased_tenants: frozenset[int]
    head: Head = EMPTY
    n_erased: int = 0
    anchored: bytes | None = None
    blanked: dict[int, int] = field(default_factory=dict)  # tenant -> first blanked row
    announced: set[int] = field(default_factory=set)  # tenants whose erasure is on record
    problems: list[TrailProblem] = field(default_factory=list)

    def wrong(self, audit_id: int | None, problem: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(TrailProblem(audit_id, problem))


def verified_trail(
    session: Session, seal_key: bytes | None, anchor: tuple[int, str] | None = None
) -> TrailReport:
    """Follow every row; the session must show one unchanging state.

    `anchor` is (number of rows, hash) noted earlier: the chain must have passed through it.
    """
    walk = _Walk(frozenset(row[0] for row in session.rows(trail.ERASED_TENANTS)))
    stored = head_of(session)
    while rows := session.rows(trail.ROWS, {"after": walk.head.last_id, "limit": ROWS_AT_ONCE}):
        for row in rows:
            _step(walk, row)
            if anchor is not None and walk.head.n_rows == anchor[0]:
                walk.anchored = walk.head.hash
    _check_blanks(walk)
    _check_head(walk, stored, seal_key)
    if anchor is not None and not _same(walk.anchored, anchor[1]):
        walk.wrong(None, f"the chain did not pass through the hash noted after {anchor[0]} rows")
    return TrailReport(
        ok=not walk.problems,
        n_rows=walk.head.n_rows,
        n_erased=walk.n_erased,
        anchor=f"{walk.head.n_rows}:{walk.head.hash.hex()}",
        sealed=stored is not None and stored.seal is not None,
        problems=tuple(walk.problems),
    )


def _step(walk: _Walk, row: Columns) -> None:
    audit_id, tenant, _, _, verb, _, _, salt, digest, stored, _ = row
    if verb == HEAD_LOST:
        walk.wrong(audit_id, "the head was missing when this row was written; it was taken away")
    if digest is not None and salt is None:
        walk.n_erased += 1
        walk.blanked.setdefault(tenant, audit_id)
    elif salt is None or stored is None:
        walk.wrong(audit_id, "this row was put in past the trail: it carries no hash")
        digest = b""
    else:
        digest = digest_of(salt, Content(*row[:7]))
    if verb == ERASED:
        walk.announced.add(tenant)
    if stored is None or stored != linked(walk.head.hash, digest):
        between = f" (rows {walk.head.last_id + 1} to {audit_id - 1} are missing)"
        gap = between if audit_id != walk.head.last_id + 1 else ""
        walk.wrong(
            audit_id, f"this row was changed, or what came before it was changed or removed{gap}"
        )
    # Going on from the stored hash names every break once, not every row after the first.
    walk.head = Head(walk.head.n_rows + 1, audit_id, stored or walk.head.hash)


def _check_blanks(walk: _Walk) -> None:
    for tenant, audit_id in walk.blanked.items():
        if tenant not in walk.erased_tenants or tenant not in walk.announced:
            walk.wrong(audit_id, "this row was blanked although its tenant was never erased")


def _check_head(walk: _Walk, stored: Head | None, seal_key: bytes | None) -> None:
    if stored is None:
        if walk.head.n_rows:
            walk.wrong(None, "the head of the trail is missing")
        return
    if stored[:3] != walk.head[:3]:
        walk.wrong(
            None,
            f"the head speaks of {stored.n_rows} rows up to number {stored.last_id}, there are "
            f"{walk.head.n_rows} up to number {walk.head.last_id}",
        )
    if seal_key is not None and not _sealed_by(stored, seal_key):
        walk.wrong(None, "the head was not sealed by the holder of the master key")


def _sealed_by(head: Head, key: bytes) -> bool:
    return head.seal is not None and hmac.compare_digest(head.seal, seal_of(key, head))


def _same(found: bytes | None, wanted: str) -> bool:
    return found is not None and hmac.compare_digest(found.hex(), wanted.lower())
