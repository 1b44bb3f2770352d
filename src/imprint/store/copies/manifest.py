"""What a copy holds: every file with its length and SHA-256, in manifest.json beside them."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imprint.errors import BackupCorruptError
from imprint.store.files import file_failures, flush_folder, write_durably

if TYPE_CHECKING:
    from pathlib import Path

KIND = "backup.v1"
MANIFEST = "manifest.json"
DATABASE = "imprint.sqlite"
_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class BackupReport:
    """Whether a copy is whole. `n_files_missing` were lost before the copy was made."""

    ok: bool
    made_at: str
    n_files: int
    n_bytes: int
    n_files_missing: int
    manifest_sha256: str
    problems: tuple[str, ...]


def write_manifest(folder: Path, made_at: str, n_files_missing: int) -> str:
    """List what a folder holds; returns the SHA-256 of the list."""
    listed = {
        path.relative_to(folder).as_posix(): {
            "n_bytes": path.stat().st_size,
            "sha256": sha256_of(path),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    words: dict[str, Any] = {
        "kind": KIND,
        "made_at": made_at,
        "n_files_missing": n_files_missing,
        "files": listed,
    }
    content = (json.dumps(words, indent=1, sort_keys=True) + "\n").encode()
    with file_failures():
        write_durably(folder / MANIFEST, content)
        flush_folder(folder)
    return hashlib.sha256(content).hexdigest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a copy. Raises BackupCorruptError when there is none to be read."""
    try:
        words = json.loads((folder / MANIFEST).read_bytes())
        if words["kind"] != KIND or not isinstance(words["files"], dict):
            raise BackupCorruptError(f"this backup is of kind {str(words['kind'])[:40]!r}")
    except (OSError, ValueError, TypeError, KeyError) as failure:
        raise BackupCorruptError(
            f"this folder is no backup, or its {MANIFEST} is damaged"
        ) from failure
    return dict(words)


def verified_backup(folder: Path) -> BackupReport:
    """Compare every file with the manifest, and let SQLite check the database's pages.

    Raises:
        BackupCorruptError: there is no manifest to compare with.
    """
    words = read_manifest(folder)
    problems: list[str] = []
    n_bytes = 0
    for name, expected in words["files"].items():
        path = folder / name
        if ".." in path.parts or not path.is_file():
            problems.append(f"{name} is missing")
        elif sha256_of(path) != expected["sha256"]:
            problems.append(f"{name} is not what was written")
        else:
            n_bytes += path.stat().st_size
    present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    extra = present - words["files"].keys() - {MANIFEST}
    problems += [f"{name} is in no manifest" for name in sorted(extra)]
    if not problems:
        problems += _damaged_pages(folder / DATABASE)
    return BackupReport(
        ok=not problems,
        made_at=str(words.get("made_at")),
        n_files=len(words["files"]),
        n_bytes=n_bytes,
        n_files_missing=int(words.get("n_files_missing", 0)),
        manifest_sha256=sha256_of(folder / MANIFEST),
        problems=tuple(problems),
    )


def sha256_of(path: Path) -> str:
    """The hash of a file's content."""
    value = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            value.update(chunk)
    return value.hexdigest()


def _damaged_pages(database: Path) -> list[str]:
    try:
        # Immutable: looking must leave no log file beside it.
        connection = sqlite3.connect(f"{database.absolute().as_uri()}?immutable=1", uri=True)
        try:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
        finally:
            connection.close()
    except sqlite3.DatabaseError as failure:
        found = [str(failure)]
    return [] if found == ["ok"] else [f"{DATABASE}: {line}" for line in found]
