"""What `imprint doctor` finds in a workspace: damaged pages, damaged embeddings, lost files."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from imprint.errors import CorruptError
from imprint.store.files import folder_of
from imprint.store.schema import reads
from imprint.store.schema.tables import HEAD

if TYPE_CHECKING:
    from pathlib import Path

    from imprint.store.files import RawFiles
    from imprint.store.session import Session
    from imprint.store.sqlite import SqliteConnections

_ROWS_AT_ONCE = 1_000


def examined(connections: SqliteConnections, files: RawFiles | None) -> dict[str, Any]:
    """Report on a workspace; `problems` says in words what is wrong, `ok` that nothing is.

    Files that no row refers to (left by a crash) are removed, unless open for reading only.
    """
    problems: list[str] = []
    report: dict[str, Any] = {"schema": HEAD, "read_only": connections.read_only}
    try:
        with connections.reading() as session:
            pages = [str(row[0]) for row in session.native("PRAGMA integrity_check(20)")]
            if pages == ["ok"]:
                report |= _counted(session, problems)
    except CorruptError as failure:
        pages = [str(failure)]
    report["pages"] = "ok" if pages == ["ok"] else "damaged"
    if pages != ["ok"]:
        problems.extend(pages)
    elif files is not None:
        report |= _files_checked(connections, files, problems)
    return {"ok": not problems, **report, "problems": problems}


def _counted(session: Session, problems: list[str]) -> dict[str, Any]:
    counts: dict[str, Any] = {}
    for name, statement in reads.COUNTS.items():
        row = session.one(statement)
        counts[name] = 0 if row is None else row[0]
    counts["n_damaged_embeddings"] = _n_damaged(session)
    counts["database_bytes"] = (
        session.native("PRAGMA page_count")[0][0] * session.native("PRAGMA page_size")[0][0]
    )
    if counts["n_without_embedding"]:
        problems.append(f"{counts['n_without_embedding']} supports have no embedding")
    if counts["n_damaged_embeddings"]:
        problems.append(f"{counts['n_damaged_embeddings']} embeddings are damaged")
    return counts


def _n_damaged(session: Session) -> int:
    """Embeddings whose bytes are not those that were stored."""
    n_damaged = 0
    collection = sequence = 0
    while True:
        rows = session.rows(
            reads.EMBEDDINGS,
            {"collection": collection, "sequence": sequence, "limit": _ROWS_AT_ONCE},
        )
        if not rows:
            return n_damaged
        n_damaged += sum(zlib.crc32(vector) != checksum for _, _, checksum, vector in rows)
        collection, sequence = rows[-1][:2]


def _files_checked(
    connections: SqliteConnections, files: RawFiles, problems: list[str]
) -> dict[str, Any]:
    present = {(place, name): path for place, name, path in files.present()}
    n_bytes = sum(_size_bytes(path) for path in present.values())
    with connections.reading() as session:
        wanted = _wanted(session)
    missing = wanted - present.keys()
    if missing:
        problems.append(f"{len(missing)} raw samples' files are missing; their embeddings answer")
    orphans = {key: present[key] for key in present.keys() - wanted}
    removable = bool(orphans) and not connections.read_only
    return {
        "n_files": len(present),
        "files_bytes": n_bytes,
        "n_files_missing": len(missing),
        "n_orphans": len(orphans),
        "n_orphans_removed": _n_removed(connections, orphans) if removable else 0,
    }


def _n_removed(connections: SqliteConnections, orphans: dict[tuple[str, str], Path]) -> int:
    # Under the write lock no other process can be about to refer to one of them; those referred
    # to since we looked are kept.
    with connections.writing() as session:
        lost = orphans.keys() - _wanted(session)
        for key in lost:
            orphans[key].unlink(missing_ok=True)
    return len(lost)


def _wanted(session: Session) -> set[tuple[str, str]]:
    return {(folder_of(row[0]), row[1]) for row in session.rows(reads.FILES)}


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # removed since it was listed
        return 0
