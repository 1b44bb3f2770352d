"""How one audit row is bound to the one before it.

    digest = SHA-256(salt | JSON of [id, tenant number, at, actor, verb, collection, detail])
    hash   = SHA-256(hash of the row before | digest)

The salt keeps a digest from being guessed: when a tenant is erased its rows lose their content and
keep their digest, so the chain can still be followed. The head (number of rows, last id, last hash)
makes a cut-off tail visible; with a master key it carries a keyed seal that only its holder can
make. Without one, who can write the database can make the whole chain anew: keep heads elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import NamedTuple

GENESIS = bytes(32)  # what the first row is bound to
SALT_BYTES = 16
_SEALED = b"imprint audit head v1"


class Content(NamedTuple):
    """What a row says, as stored: `at` in microseconds, `detail` as JSON text."""

    audit_id: int
    tenant: int
    at: int
    actor: str
    verb: str
    collection: str | None
    detail: str


class Head(NamedTuple):
    """Where the chain ends. `seal` is None where no master key sealed it."""

    n_rows: int
    last_id: int
    hash: bytes
    seal: bytes | None = None


EMPTY = Head(0, 0, GENESIS)


def digest_of(salt: bytes, content: Content) -> bytes:
    """The salted digest of one row's content."""
    words = json.dumps(content, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(salt + words.encode()).digest()


def linked(before: bytes, digest: bytes) -> bytes:
    """The hash of a row, given the hash of the row before it."""
    return hashlib.sha256(before + digest).digest()


def seal_of(key: bytes, head: Head) -> bytes:
    """The seal of a head under the workspace's audit key."""
    numbers = head.n_rows.to_bytes(8, "big") + head.last_id.to_bytes(8, "big")
    return hmac.digest(key, _SEALED + numbers + head.hash, "sha256")
