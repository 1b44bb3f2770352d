"""Sealing bytes under a data key: AES-256-GCM with fresh subkeys, bound to their place.

    sealed = 0x01 | key number (4) | salt (16) | nonce (12) | ciphertext | tag (16)

Each process draws a random salt per data key, and a new one after 2**30 seals. The salt and the
data key give the subkey (HKDF-SHA-256) that encrypts; nonces are 96 random bits. Two seals under
one subkey share a nonce with probability below 2**-37, two processes share a subkey with
probability below 2**-68 for 2**30 processes: no number of writes calls for a rotation. Random
nonces also stay safe in a forked process, which a counter would not.

The place (table, tenant, row) is authenticated, so that a sealed value read from another row, table
or tenant is refused.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from imprint.errors import SealBrokenError
from imprint.store.sealing.masters.local import aes_gcm

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORMAT = b"\x01"
OVERHEAD_BYTES = 1 + 4 + 16 + 12 + 16
_SALT = slice(5, 21)
_NONCE = slice(21, 33)
_BODY = 33
_SEALS_PER_SUBKEY = 2**30
_MOST_KEPT = 4096
_PURPOSE = b"imprint sealing subkey v1"


class SealingKey:
    """One data key, its present subkey for sealing, and those it opened with before."""

    def __init__(self, number: int, key: bytes) -> None:
        self.number = number
        self._key = key
        self._head = FORMAT + number.to_bytes(4, "big")
        self._opening: dict[bytes, AESGCM] = {}
        self._renew()

    def seal(self, plain: bytes, place: bytes) -> bytes:
        """Encrypt bytes that can only be opened at that place."""
        if self._left <= 0:
            self._renew()
        self._left -= 1
        nonce = os.urandom(12)
        body = self._sealing.encrypt(nonce, plain, self._head + place)
        return self._start + nonce + body

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """Decrypt.

        Raises:
            SealBrokenError: it was changed, or sealed for another place or by another key.
        """
        from cryptography.exceptions import InvalidTag

        try:
            cipher = self._opening.get(sealed[_SALT]) or self._kept(sealed[_SALT])
            return cipher.decrypt(sealed[_NONCE], sealed[_BODY:], self._head + place)
        except (InvalidTag, ValueError):
            raise broken() from None

    def _renew(self) -> None:
        salt = os.urandom(16)
        self._sealing = self._kept(salt)
        self._start = self._head + salt
        self._left = _SEALS_PER_SUBKEY

    def _kept(self, salt: bytes) -> AESGCM:
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        if len(self._opening) >= _MOST_KEPT:
            self._opening.clear()
        derived = HKDF(SHA256(), 32, salt, _PURPOSE).derive(self._key)
        cipher: AESGCM = aes_gcm(derived)
        self._opening[salt] = cipher
        return cipher


def number_of(sealed: bytes) -> int:
    """The number of the key that sealed this. Raises SealBrokenError when nothing did."""
    if len(sealed) < OVERHEAD_BYTES or sealed[:1] != FORMAT:
        raise broken()
    return int.from_bytes(sealed[1:5], "big")


def broken() -> SealBrokenError:
    """What a value that cannot be opened is answered with."""
    return SealBrokenError(
        "a sealed value is not what was stored here; it was changed or moved; "
        "run `imprint doctor` and restore a backup"
    )
