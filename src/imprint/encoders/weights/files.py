"""File steps of the model cache: hashing, durable copies, and disk errors told in our words."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from imprint.errors import ModelHashError, ReadOnlyError, StorageFullError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import IO

    Progress = Callable[[str, int, int], None]

_CHUNK_BYTES = 1 << 20
FULL = {errno.ENOSPC, errno.EDQUOT}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


def silent(stage: str, done: int, total: int) -> None:
    """Hear progress and say nothing."""


def canonical(shape: dict[str, Any]) -> bytes:
    """Write JSON the one way hashes are taken over: sorted keys, no spaces, ASCII."""
    return json.dumps(shape, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def version_of(name: str, identity: dict[str, Any]) -> str:
    """Name and the first 16 hex digits of the hash over everything that decides a vector."""
    return f"{name}@{hashlib.sha256(canonical(identity)).hexdigest()[:16]}"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def model_sha256(path: Path, card: dict[str, Any]) -> str:
    """SHA-256 of a model file that lies beside its card.

    Raises:
        ModelHashError: the file is missing, or the card states another hash.
    """
    if not path.is_file():
        raise ModelHashError(f"the model file of {card['name']} is missing; install it again")
    found, stated = sha256_of(path), card.get("sha256")
    if stated is not None and stated != found:
        raise ModelHashError(
            f"the model file of {card['name']} has SHA-256 {found[:16]}... but its card states "
            f"{str(stated)[:16]}...; it is damaged or another model"
        )
    return found


@contextmanager
def disk_errors() -> Iterator[None]:
    """Say a full or read-only disk in Imprint's words.

    Raises:
        StorageFullError: there was no room; what was half written is under a temporary name.
        ReadOnlyError: the cache folder may not be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise StorageFullError(
                "the disk of the model cache is full; free about 300 MB or point IMPRINT_CACHE "
                "at another disk, then try again",
                retry_after_s=60.0,
            ) from error
        if error.errno in _READ_ONLY:
            raise ReadOnlyError(
                "the model cache folder may not be written; point IMPRINT_CACHE at one that may"
            ) from error
        raise


def copy_verified(
    stream: IO[bytes], target: Path, sha256: str, progress: Progress = silent, total: int = 0
) -> None:
    """Copy a stream to `target`, which appears whole and with this hash or not at all.

    Raises:
        ModelHashError: the bytes have another hash; nothing is left behind.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # One name, so that what a killed process left is overwritten: callers hold the target's lock.
    partial = target.with_name(f"{target.name}.partial")
    digest = hashlib.sha256()
    done = 0
    try:
        with partial.open("wb") as out:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
                out.write(chunk)
                done += len(chunk)
                progress("copying model files", done, total or done)
            out.flush()
            os.fsync(out.fileno())
        if digest.hexdigest() != sha256:
            raise ModelHashError(
                f"a model file should have SHA-256 {sha256[:16]}... but has "
                f"{digest.hexdigest()[:16]}...; it is damaged or another model"
            )
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, shape: dict[str, Any]) -> None:
    """Write a small JSON file that appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_text(json.dumps(shape, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    partial.replace(path)
