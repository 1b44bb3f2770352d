"""From a folder to an open workspace: layout, versions, and what can be wrong with either."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from importlib import metadata as packages
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from imprint.errors import (
    ImprintError,
    InvalidOptionError,
    NewerWorkspaceError,
    NotFoundError,
    ReadOnlyError,
    WorkspaceCorruptError,
)
from imprint.store.files import (
    BLOBS,
    RawFiles,
    file_failures,
    flush_folder,
    make_folder,
    write_durably,
)
from imprint.store.schema import reads, tables, writes
from imprint.store.sealing.keyring import Keyring
from imprint.store.sqlite import IN_MEMORY, SqliteConnections
from imprint.store.workspace import SqlStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.store.sealing.masters.wrapper import KeyWrapper
    from imprint.store.session import Session

KIND = "workspace.v1"
DATABASE = "imprint.sqlite"
CARD = "workspace.json"


def opened(
    path: Path | str | None,
    *,
    read_only: bool,
    timeout_s: float,
    answer_cap: int,
    master_keys: Sequence[KeyWrapper] = (),
) -> SqlStore:
    """See `imprint.store.open_store`."""
    if answer_cap < 1:
        raise InvalidOptionError(
            f"the prediction log must keep at least 1 answer, not {answer_cap}"
        )
    if path is None:
        connections = SqliteConnections(IN_MEMORY, timeout_s=timeout_s)
        _make_tables(connections)
        return SqlStore(connections, None, answer_cap=answer_cap, keyring=Keyring(master_keys))
    folder = _folder(path)
    read_only = _prepare(folder, read_only=read_only)
    connections = SqliteConnections(
        _address(folder / DATABASE, read_only=read_only), timeout_s=timeout_s, read_only=read_only
    )
    try:
        _bring_up_to_date(connections)
        keyring = Keyring(master_keys)
        with connections.reading() as session:
            keyring.check(session)
        if not read_only:
            _write_card(folder)
        files = RawFiles(folder / BLOBS)
        store = SqlStore(connections, files, answer_cap=answer_cap, keyring=keyring)
        store.folder = folder
        _finish_removals(store)
    except BaseException:
        connections.close()
        raise
    return store


def _folder(path: Path | str) -> Path:
    words = str(path)
    if "://" in words or words.startswith("postgresql:"):
        raise InvalidOptionError(
            "this version keeps workspaces in folders only, not in a database server; give the "
            "path of a folder"
        )
    return Path(path)


def _prepare(folder: Path, *, read_only: bool) -> bool:
    """Make the folder if need be; returns whether to open for reading only."""
    if folder.exists() and not folder.is_dir():
        raise InvalidOptionError("a workspace is a folder, and this path is a file")
    database = folder / DATABASE
    _check_card(folder)
    if not database.exists():
        if read_only:
            raise NotFoundError("there is no workspace in this folder to read")
        with file_failures():
            make_folder(folder.absolute())
        if not os.access(folder, os.W_OK):
            raise ReadOnlyError("a workspace cannot be made here: the folder cannot be written")
        return False
    return read_only or not (os.access(folder, os.W_OK) and os.access(database, os.W_OK))


def _address(database: Path, *, read_only: bool) -> str:
    address = f"file:{quote(str(database.absolute()))}"
    if not read_only:
        return f"{address}?mode=rwc"
    # SQLite reads a write-ahead log only beside a file it can share with writers. Where that cannot
    # be made and there is no log, nobody is writing, and the file can be read as it is.
    if not os.access(database.parent, os.W_OK) and not _has_log(database):
        return f"{address}?mode=ro&immutable=1"
    return f"{address}?mode=ro"


def _has_log(database: Path) -> bool:
    log = database.with_name(f"{database.name}-wal")
    return log.exists() and log.stat().st_size > 0


def _bring_up_to_date(connections: SqliteConnections) -> None:
    with connections.reading() as session:
        found = _revision(session)
    if found == tables.HEAD:
        return
    if found is not None and found not in tables.REVISIONS:
        raise NewerWorkspaceError(
            f"this workspace has schema {found}, this Imprint knows {tables.HEAD} at most; "
            "upgrade Imprint to open it"
        )
    if connections.read_only:
        raise ReadOnlyError(
            "this workspace was written by an older Imprint and must be upgraded; open it once "
            "where its folder can be written"
        )
    if found is None:
        _make_tables(connections)
    else:
        _upgrade(connections)


def _revision(session: Session) -> str | None:
    """The schema's revision; None when the database is empty."""
    names = {row[0] for row in session.native("SELECT name FROM sqlite_master")}
    if not names:
        return None
    row = session.one(reads.VERSION) if tables.version.name in names else None
    if row is None:
        raise WorkspaceCorruptError("this database is not an Imprint workspace")
    return str(row[0])


def _make_tables(connections: SqliteConnections) -> None:
    if not connections.in_memory:
        with connections.reading() as session:
            if session.native("PRAGMA journal_mode=WAL")[0][0] != "wal":
                raise InvalidOptionError(
                    "this file system cannot hold a workspace: it has no shared memory between "
                    "processes; use a folder on a local disk"
                )
    with connections.writing() as session:
        if _revision(session) is None:  # another process may have been faster
            tables.metadata.create_all(session.connection(), checkfirst=False)
            session.run(writes.STAMP, {"version_num": tables.HEAD})


def _upgrade(connections: SqliteConnections) -> None:
    from imprint.store.schema.migrations import upgrade

    with connections.writing() as session:
        if _revision(session) != tables.HEAD:
            upgrade(session.connection())


def _check_card(folder: Path) -> None:
    try:
        kind = json.loads((folder / CARD).read_bytes())["kind"]
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError, TypeError, KeyError) as failure:
        raise WorkspaceCorruptError(
            f"{CARD} cannot be read; if the database beside it is whole, delete {CARD} and it is "
            "written anew"
        ) from failure
    if kind != KIND:
        raise NewerWorkspaceError(
            f"this workspace is of kind {kind!r}, this Imprint reads {KIND!r}; upgrade Imprint"
        )


def _write_card(folder: Path) -> None:
    card = folder / CARD
    if card.exists() and json.loads(card.read_bytes()).get("schema") == tables.HEAD:
        return
    written_by = "unknown"
    with suppress(packages.PackageNotFoundError):
        written_by = packages.version("imprint")
    words = {"kind": KIND, "schema": tables.HEAD, "written_by": written_by}
    with file_failures():
        write_durably(card, (json.dumps(words, indent=2) + "\n").encode())
        flush_folder(folder)


def _finish_removals(store: SqlStore) -> None:
    """Unlink what a process that was killed could not; another writer's turn is not waited for."""
    with store.connections.reading() as session:
        left = session.one(writes.DOOMED)
    if left is not None:
        with suppress(ImprintError):
            store.sweep()
