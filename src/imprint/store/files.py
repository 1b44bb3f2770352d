"""Raw samples too large for a database row: one file per content and tenant, named by its SHA-256.

Files are written and removed only while the workspace's write lock is held, so that no process can
remove what another is about to refer to. A file is complete before its name appears.
"""

from __future__ import annotations

import errno
import hashlib
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from imprint.errors import (
    BlobMissingError,
    BusyError,
    ReadOnlyError,
    StorageFullError,
    WorkspaceCorruptError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Rows up to this size are read and written faster inside the database than as files of their own.
INLINE_LIMIT_BYTES = 64 * 1024
BLOBS = "blobs"  # name of the folder, within the workspace's
_HALF_WRITTEN = ".part"
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
_TOO_MANY_OPEN = {errno.EMFILE, errno.ENFILE}
_NO_PERMISSION = {errno.EACCES, errno.EPERM, errno.EROFS}


class RawFiles:
    """The `blobs` folder of a workspace: blobs/<hash of tenant>/<aa>/<sha256>."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def root(self) -> Path:
        """The `blobs` folder itself."""
        return self._root

    def folder(self, tenant: str) -> Path:
        """Where all files of a tenant lie."""
        return self._root / folder_of(tenant)

    def path(self, tenant: str, sha256: str) -> Path:
        """Where a content of a tenant lies."""
        return self.folder(tenant) / sha256[:2] / sha256

    def write(self, tenant: str, contents: dict[str, bytes]) -> None:
        """Make files durable under their final names.

        A file that is there already is written anew: it may be damaged, or about to be removed.

        Raises:
            StorageFullError, ReadOnlyError: some may have been written; the caller removes them.
        """
        with file_failures():
            folders = set()
            for sha256, content in contents.items():
                target = self.path(tenant, sha256)
                make_folder(target.parent)
                write_durably(target, content)
                folders.add(target.parent)
            for folder in folders:
                flush_folder(folder)

    def load(self, tenant: str, sha256: str) -> bytes:
        """The bytes of a file, unchecked. Raises BlobMissingError when it cannot be read."""
        try:
            return self.path(tenant, sha256).read_bytes()
        except OSError as failure:
            raise BlobMissingError(
                "the raw sample's file is missing or unreadable; its embedding still answers; "
                "restore the file from a backup or teach the sample again"
            ) from failure

    def size_bytes(self, tenant: str, sha256: str) -> int | None:
        """Length of a file, None when it is missing."""
        try:
            return self.path(tenant, sha256).stat().st_size
        except OSError:
            return None

    def remove(self, tenant: str, sha256: str) -> None:
        """Unlink a file, if it is there."""
        with file_failures(), suppress(FileNotFoundError):
            self.path(tenant, sha256).unlink()

    def present(self) -> Iterator[tuple[str, str, Path]]:
        """Every file as (hash of tenant, name, path), half-written ones included."""
        for path in self._root.glob("*/*/*"):
            yield path.parent.parent.name, path.name, path


def folder_of(tenant: str) -> str:
    """Folder name of a tenant: names stay out of the file system."""
    return hashlib.sha256(tenant.encode()).hexdigest()[:32]


def verified(content: bytes, sha256: str) -> bytes:
    """The content, if it has that hash; raises BlobMissingError otherwise."""
    if hashlib.sha256(content).hexdigest() != sha256:
        raise mismatch(len(content))
    return content


def mismatch(n_bytes: int) -> BlobMissingError:
    """What a raw sample that is not what was stored is answered with."""
    return BlobMissingError(
        f"the raw sample ({n_bytes} bytes) is not what was stored; its embedding still "
        "answers; restore a backup or teach the sample again"
    )


def write_durably(target: Path, content: bytes) -> None:
    """Write beside the target, flush, then rename; the caller flushes the folder."""
    half = target.with_name(f"{target.name}.{os.getpid()}{_HALF_WRITTEN}")
    try:
        with half.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        half.replace(target)
    except BaseException:
        with suppress(OSError):
            half.unlink()
        raise


def make_folder(folder: Path) -> None:
    """Make a folder and its parents durably."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    # For its owner only: what is inside was taught in confidence.
    folder.mkdir(mode=0o700, exist_ok=True)
    flush_folder(folder.parent)


def flush_folder(folder: Path) -> None:
    """Make the names in a folder durable (where the system can: Windows cannot open folders)."""
    if os.name == "nt":
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextmanager
def file_failures() -> Iterator[None]:
    """Say in our words why a file could not be written."""
    try:
        yield
    except OSError as failure:
        if failure.errno in _NO_SPACE:
            raise StorageFullError(
                f"the disk is full or refused a write (errno {failure.errno}); nothing was "
                "stored; free some space and try again",
                retry_after_s=30.0,
            ) from failure
        if failure.errno in _NO_PERMISSION:
            raise ReadOnlyError(
                "the workspace's folder cannot be written; nothing was stored"
            ) from failure
        if failure.errno in _TOO_MANY_OPEN:
            raise BusyError("too many files are open; raise the limit or try again") from failure
        raise WorkspaceCorruptError(
            f"the workspace's folder is not as it was made (errno {failure.errno}); nothing was "
            "stored; was it moved or deleted while open?"
        ) from failure
