"""Copying a workspace while it is taught, and putting a copy in its place.

The database is copied by SQLite's own backup in one step: what it shows is one commit. Files of raw
samples never change under their name except by sealing anew, and may be removed by an erasure while
they are copied; then the whole copy is made once more, the last time with writers waiting.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import uuid
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from imprint.errors import (
    BackupCorruptError,
    ConflictError,
    InvalidOptionError,
    NotFoundError,
    SealBrokenError,
    StorageFullError,
)
from imprint.store.copies.manifest import (
    DATABASE,
    BackupReport,
    read_manifest,
    verified_backup,
    write_manifest,
)
from imprint.store.files import BLOBS, file_failures, flush_folder, folder_of, make_folder
from imprint.store.schema import copies
from imprint.store.schema.sealed import keyed
from imprint.store.sealing.sealing_key import OVERHEAD_BYTES, number_of

if TYPE_CHECKING:
    from datetime import datetime

    from imprint.store.workspace import SqlStore

CARD = "workspace.json"
_TRIES = 3


def backed_up(store: SqlStore, to: Path, *, actor: str, now: datetime) -> BackupReport:
    """Copy a workspace to a new folder; it appears under its name only when it is whole.

    Raises:
        ConflictError: something is there already.
        StorageFullError, ReadOnlyError: nothing is left of the attempt.
    """
    source = store.folder
    if source is None:
        raise InvalidOptionError("a workspace in memory cannot be backed up")
    to = to.absolute()
    _check_place(source.absolute(), to)
    half = to.with_name(f".{to.name}.{uuid.uuid4().hex}.part")
    with file_failures():
        make_folder(to.parent)
        for left in to.parent.glob(f".{to.name}.*.part"):  # of a process that was killed
            shutil.rmtree(left, ignore_errors=True)
    try:
        with file_failures():
            make_folder(half)
            n_missing = _copied(store, source, half)
            shutil.copyfile(source / CARD, half / CARD)
        manifest_sha256 = write_manifest(half, now.isoformat(), n_missing)
        report = _whole(half)
        with file_failures():
            half.rename(to)
            flush_folder(to.parent)
    except BaseException:
        shutil.rmtree(half, ignore_errors=True)
        raise
    _recorded(store, to, manifest_sha256, actor, now)
    return report


def restored(source: Path, home: Path) -> BackupReport:
    """Copy a backup to the folder of a new workspace.

    Raises:
        BackupCorruptError: the backup is damaged; nothing is written.
        ConflictError: something is there already.
    """
    if not source.is_dir():
        raise NotFoundError("there is no backup in this place")
    report = verified_backup(source)
    if not report.ok:
        raise BackupCorruptError(
            f"this backup is damaged: {report.problems[0]}; nothing was restored"
        )
    home = home.absolute()
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise ConflictError("a backup is restored to a new or empty folder; choose another --home")
    half = home.with_name(f".{home.name}.{uuid.uuid4().hex}.part")
    try:
        with file_failures():
            make_folder(half)
            for name in read_manifest(source)["files"]:
                _copy_file(source / name, half / name)
            with suppress(FileNotFoundError):
                home.rmdir()
            half.rename(home)
            flush_folder(home.parent)
    except BaseException:
        shutil.rmtree(half, ignore_errors=True)
        raise
    return report


def _whole(half: Path) -> BackupReport:
    report = verified_backup(half)
    if not report.ok:
        raise BackupCorruptError(
            f"the copy is not what was read ({report.problems[0]}); run `imprint doctor`"
        )
    return report


def _check_place(source: Path, to: Path) -> None:
    if to.exists():
        raise ConflictError("there is something in that place already; a backup needs a new name")
    if source in (to, *to.parents):
        raise InvalidOptionError("a backup cannot lie inside the workspace it is a copy of")


def _copied(store: SqlStore, source: Path, half: Path) -> int:
    """Database and files; returns how many files are missing for good."""
    for turn in range(_TRIES):
        last = turn == _TRIES - 1
        with store.connections.writing() if last else nullcontext():
            shutil.rmtree(half / BLOBS, ignore_errors=True)
            _copy_database(source / DATABASE, half / DATABASE)
            wanted, keys = _wanted(half / DATABASE)
            missing = [one for one in wanted if not _taken(source, half, one, keys)]
        if not missing:
            return 0
    return len(missing)


def _copy_database(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    reading = sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=30.0)
    writing = sqlite3.connect(target)
    try:
        reading.backup(writing)
        writing.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError as failure:
        raise StorageFullError(
            f"the disk of the backup is full or refused a write ({failure.sqlite_errorname}); "
            "nothing is left of the attempt; free some space and try again",
            retry_after_s=30.0,
        ) from failure
    finally:
        writing.close()
        reading.close()
    for suffix in ("-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)


def _wanted(database: Path) -> tuple[list[tuple[str, str, bool]], set[int]]:
    """Files a copied database refers to as (folder, name, sealed), and the keys it brings."""
    connection = sqlite3.connect(f"{database.absolute().as_uri()}?immutable=1", uri=True)
    try:
        rows = connection.execute(
            "SELECT DISTINCT tenants.name, raws.sha256, raws.sealed_by IS NOT NULL FROM raws "
            "JOIN tenants ON raws.tenant = tenants.id WHERE raws.content IS NULL"
        ).fetchall()
        keys = {row[0] for row in connection.execute("SELECT id FROM data_keys")}
    finally:
        connection.close()
    return [(folder_of(name), sha256, bool(sealed)) for name, sha256, sealed in rows], keys


def _taken(source: Path, half: Path, wanted: tuple[str, str, bool], keys: set[int]) -> bool:
    folder, sha256, sealed = wanted
    name = Path(BLOBS) / folder / sha256[:2] / sha256
    try:
        _copy_file(source / name, half / name)
    except FileNotFoundError:
        return False
    if not sealed:
        return True
    # Sealed anew since the database was copied, by a key the copy does not have.
    with (half / name).open("rb") as file, suppress(SealBrokenError):
        return number_of(file.read(OVERHEAD_BYTES)) in keys
    return True


def _copy_file(source: Path, target: Path) -> None:
    """Copy durably; a name that is a link is refused, it could lead anywhere."""
    if source.is_symlink():
        raise FileNotFoundError
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with source.open("rb") as reading, target.open("wb") as writing:
        shutil.copyfileobj(reading, writing, 1024 * 1024)
        writing.flush()
        os.fsync(writing.fileno())
    target.chmod(0o600)


def _recorded(store: SqlStore, to: Path, manifest_sha256: str, actor: str, now: datetime) -> None:
    """Put the copy on record: erasing a tenant has to know where else to look."""
    with store.connections.reading() as session:
        names = [row[1] for row in session.rows(keyed.TENANTS) if row[3] is None]
    if not names or store.connections.read_only:
        return
    detail = {"manifest_sha256": manifest_sha256}
    with store.tenant(names[0]).transaction(
        "backup", actor=actor, now=now, detail=detail
    ) as transaction:
        values = {"place": str(to), "manifest_sha256": manifest_sha256}
        transaction.scope.session.run(copies.ADD, {**values, "at": transaction.scope.now})
