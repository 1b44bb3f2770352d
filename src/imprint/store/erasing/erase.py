"""The end of a tenant: keys, rows and files destroyed, the database rewritten, every byte searched.

Destroying the data key alone makes sealed content unreadable wherever a copy of it lies; deleting
rows and files does it for workspaces without encryption too. Both are always done. The rows of the
audit trail lose what they say and keep their digests, so that the chain can still be followed.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from imprint.errors import NotFoundError, WorkspaceLockedError
from imprint.store.erasing.witnesses import Witness, searched, witnesses_of
from imprint.store.files import BLOBS, folder_of
from imprint.store.rows import to_json, to_number
from imprint.store.schema import erasing, trail
from imprint.store.schema.tables import AUDIT_TRIGGERS
from imprint.store.sealing.keyring import Opener
from imprint.store.trail.append import append
from imprint.store.trail.chain import Content, digest_of
from imprint.store.trail.verify import ERASED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from imprint.store.session import Session
    from imprint.store.workspace import SqlStore

_ROUNDS = 5
RATES = "rates.sqlite"  # as `imprint serve` names it


@dataclass(slots=True)
class Proof:
    """What was destroyed, and where its bytes were looked for afterwards.

    `remains` are finds nothing explains. `shared` are finds in rows or files of other tenants, who
    hold the same bytes of their own. `proven` says that nothing remains and everything was looked
    at, the copies on record included.
    """

    tenant_number: int
    erased_at: str
    n_rows: dict[str, int]
    n_audit_rows_blanked: int
    n_keys_destroyed: int
    n_witnesses: dict[str, int] = field(default_factory=dict)
    rewritten: bool = False
    n_files_searched: int = 0
    n_bytes_searched: int = 0
    remains: list[tuple[str, str]] = field(default_factory=list)
    shared: list[tuple[str, str]] = field(default_factory=list)
    backups: list[dict[str, Any]] = field(default_factory=list)

    @property
    def proven(self) -> bool:
        """Nothing remains, and no copy was out of reach."""
        reached = all(copy["state"] in {"erased", "gone"} for copy in self.backups)
        return self.rewritten and not self.remains and reached


def erase_tenant(
    store: SqlStore,
    folder: Path | None,
    name: str,
    *,
    actor: str,
    now: datetime,
    markers: Sequence[bytes] = (),
) -> tuple[Proof, list[Witness]]:
    """Destroy everything of a tenant and search the folder for what it held.

    `markers` are bytes to be searched for beside those taken from the tenant itself.

    Raises:
        NotFoundError: there is no such tenant, or it was erased before.
    """
    number, witnesses = _known(store, name)
    witnesses += [Witness("marker", marker) for marker in markers]
    proof = _destroyed(store, number, name, actor, now)
    store.keyring.forget(number)
    for one in witnesses:
        proof.n_witnesses[one.kind] = proof.n_witnesses.get(one.kind, 0) + 1
    proof.rewritten = store.connections.rewrite()
    if folder is not None:
        _forget_rates(folder, name)
        _search(store, folder, name, proof, witnesses)
    return proof, witnesses


def _known(store: SqlStore, name: str) -> tuple[int, list[Witness]]:
    with store.seeing() as session:
        row = session.one(erasing.FIND, {"name": name})
        if row is None:
            raise NotFoundError("there is no tenant of this name; `imprint tenant list` names them")
        number = int(row[0])
        opener = Opener(store.keyring, session, number)
        return number, witnesses_of(store, session, number, name, opener)


def _destroyed(store: SqlStore, number: int, name: str, actor: str, now: datetime) -> Proof:
    """Rows first, then files, then the name: a run that was killed can be made again by name.

    Writers may come in between; the last step makes sure that none left a file behind.
    """
    total: dict[str, int] = {}
    for _ in range(_ROUNDS):
        with store.connections.writing() as session:
            _add(total, _dropped(session, number))
        if store.files is not None:
            shutil.rmtree(store.files.folder(name), ignore_errors=True)
        with store.connections.writing() as session:
            left = session.one(erasing.FILES_LEFT, {"tenant": number})
            if left is None or left[0] == 0:
                _add(total, _dropped(session, number))
                n_blanked = _buried(store, session, number, actor, now, total)
                return Proof(number, now.isoformat(), total, n_blanked, total.get("data_keys", 0))
    raise WorkspaceLockedError(
        "the tenant is still being written to; stop its writers and erase it again",
        retry_after_s=5.0,
    )


def _dropped(session: Session, number: int) -> dict[str, int]:
    mine = {"tenant": number}
    counts = {
        name: int((session.one(statement, mine) or (0,))[0])
        for name, statement in erasing.COUNTS.items()
    }
    for statement in erasing.DROPS.values():
        session.run(statement, mine)
    return counts


def _buried(
    store: SqlStore, session: Session, number: int, actor: str, now: datetime, total: dict[str, int]
) -> int:
    """Blank the tenant's part of the trail, take its name, and put the erasure on record."""
    rows = session.rows(trail.ROWS_TO_BLANK, {"tenant": number})
    session.native("DROP TRIGGER audit_forbids_update")
    for row in rows:
        salt, digest = row[7], row[8]
        kept = digest if salt is None else digest_of(salt, Content(*row[:7]))
        session.run(trail.BLANK, {"audit_id": row[0], "kept": kept})
    session.native(AUDIT_TRIGGERS[0])
    at = to_number(now)
    # No tenant can be given an unprintable name.
    buried = f"\x1ferased-{number}"
    session.run(erasing.BURY, {"tenant_number": number, "new_name": buried, "at": at})
    detail = to_json({"tenant_number": number, "n_rows": sum(total.values())})
    content = Content(0, number, at, actor, ERASED, None, detail)
    append(session, content, store.keyring.audit_key(session, at))
    return len(rows)


def _add(total: dict[str, int], counts: dict[str, int]) -> None:
    for name, n in counts.items():
        total[name] = total.get(name, 0) + n


def _forget_rates(folder: Path, name: str) -> None:
    """Counts of requests lie by tenant in a file of their own, beside the database."""
    if not (folder / RATES).exists():
        return
    connection = sqlite3.connect(folder / RATES, isolation_level=None, timeout=10.0)
    try:
        connection.execute("PRAGMA secure_delete=ON")
        connection.execute("DELETE FROM rates WHERE tenant = ?", (name,))
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError:
        pass  # the search says what is left
    finally:
        connection.close()


def _search(
    store: SqlStore, folder: Path, name: str, proof: Proof, witnesses: list[Witness]
) -> None:
    result = searched(folder, witnesses)
    proof.n_files_searched, proof.n_bytes_searched = result.n_files, result.n_bytes
    own = f"{BLOBS}/{folder_of(name)}"
    held: dict[Witness, bool] = {}
    for place, witness in result.found:
        if witness not in held:
            held[witness] = _held_by_others(store, witness)
        others_file = place.startswith(f"{BLOBS}/") and not place.startswith(own)
        finds = proof.shared if held[witness] or others_file else proof.remains
        finds.append((place, witness.kind))


def _held_by_others(store: SqlStore, witness: Witness) -> bool:
    """Whether a row that is left (so not of the erased tenant) holds these very bytes."""
    wanted: dict[type, str | bytes] = {bytes: witness.content}
    with suppress(UnicodeDecodeError):
        wanted[str] = witness.content.decode()
    with store.connections.reading() as session:
        for kind, value in wanted.items():
            for statement in erasing.HOLDING[kind]:
                row = session.one(statement, {"wanted": value})
                if row is not None and row[0]:
                    return True
    return False
