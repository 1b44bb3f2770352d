"""Copies that need no open workspace: verifying and restoring."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from imprint.store.copies.manifest import BackupReport


def verify_backup(folder: Path) -> BackupReport:
    """Compare a copy with its manifest. Raises BackupCorruptError when it has none."""
    from imprint.store.copies.manifest import verified_backup

    return verified_backup(folder)


def restore_backup(folder: Path, home: Path) -> BackupReport:
    """Make a workspace of a copy, in a new or empty folder.

    Raises:
        NotFoundError, BackupCorruptError, ConflictError: nothing was written.
    """
    from imprint.store.copies.backup import restored

    return restored(folder, home)
