"""A master key of 32 bytes in a file of its owner's, or handed over in the environment."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import stat
from typing import TYPE_CHECKING

from imprint.errors import (
    ConflictError,
    InvalidOptionError,
    MasterKeyMissingError,
    MasterKeyWrongError,
    UnsafeKeyFileError,
)
from imprint.store.files import file_failures, flush_folder, make_folder

if TYPE_CHECKING:
    from pathlib import Path


KEY_BYTES = 32
_NONCE_BYTES = 12
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_LARGEST_FILE_BYTES = 4096


class LocalMasterKey:
    """Implements KeyWrapper with AES-256-GCM under a key this process holds."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise InvalidOptionError(
                f"a master key has {KEY_BYTES} bytes, this one has {len(key)}; "
                "`imprint keys master create` makes one"
            )
        self._cipher = aes_gcm(key)
        # 256 random bits: naming them by their hash tells nothing.
        self.key_id = f"local:{hashlib.sha256(b'imprint master key' + key).hexdigest()[:24]}"

    def wrap(self, key: bytes, context: dict[str, str]) -> bytes:
        """See KeyWrapper."""
        nonce = os.urandom(_NONCE_BYTES)
        body: bytes = self._cipher.encrypt(nonce, key, _bound(context))
        return nonce + body

    def unwrap(self, wrapped: bytes, context: dict[str, str]) -> bytes:
        """See KeyWrapper."""
        from cryptography.exceptions import InvalidTag

        nonce, rest = wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:]
        try:
            key: bytes = self._cipher.decrypt(nonce, rest, _bound(context))
        except (InvalidTag, ValueError):
            raise MasterKeyWrongError(
                "a data key of this workspace cannot be unwrapped: its master key is another one, "
                "or the wrapped key was changed; nothing was written"
            ) from None
        return key


def aes_gcm(key: bytes):  # type: ignore[no-untyped-def]
    """AES-GCM of the cryptography package. Raises InvalidOptionError when it is not installed."""
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise InvalidOptionError(
            "a master key is set, but the package that encrypts is not installed; "
            "pip install 'imprint[encryption]'"
        ) from None
    return AESGCM(key)


def parsed_key(words: str) -> LocalMasterKey:
    """A master key from its text: 64 hexadecimal digits or 44 characters of base64.

    Raises:
        InvalidOptionError: it is neither.
    """
    words = words.strip()
    try:
        key = bytes.fromhex(words) if len(words) == 2 * KEY_BYTES else _base64(words)
    except ValueError:
        raise InvalidOptionError(
            "the master key is neither 64 hexadecimal digits nor 44 characters of base64"
        ) from None
    return LocalMasterKey(key)


def read_key_file(path: Path) -> LocalMasterKey:
    """A master key from a file that only its owner may read.

    Raises:
        MasterKeyMissingError: there is no such file, or it cannot be read.
        UnsafeKeyFileError: others may read or write it.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            words = file.read(_LARGEST_FILE_BYTES)
    except OSError:
        raise MasterKeyMissingError(
            "the file of the master key is missing or unreadable; restore it from its safe copy; "
            "nothing was written"
        ) from None
    if os.name != "nt" and mode & _OTHERS:
        raise UnsafeKeyFileError(
            f"the file of the master key has mode {stat.S_IMODE(mode):03o}: others could read or "
            "change it; chmod 600"
        )
    try:
        return parsed_key(words.decode("ascii"))
    except UnicodeDecodeError:
        raise InvalidOptionError(
            "the file of the master key does not hold a key as `imprint keys master create` "
            "writes it"
        ) from None


def create_key_file(path: Path) -> LocalMasterKey:
    """Make a new random master key in a new file of mode 600.

    Raises:
        ConflictError: the file is there already; a key is never overwritten.
        ReadOnlyError, StorageFullError: it cannot be written.
    """
    key = os.urandom(KEY_BYTES)
    with file_failures():
        make_folder(path.absolute().parent)
        try:
            number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise ConflictError(
                "there is a file of that name already; a master key is never overwritten"
            ) from None
        with os.fdopen(number, "wb") as file:
            file.write(base64.b64encode(key) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        flush_folder(path.absolute().parent)
    return LocalMasterKey(key)


def _base64(words: str) -> bytes:
    try:
        return base64.b64decode(words, validate=True)
    except binascii.Error as failure:
        raise ValueError from failure


def _bound(context: dict[str, str]) -> bytes:
    return json.dumps(context, sort_keys=True, separators=(",", ":")).encode()
