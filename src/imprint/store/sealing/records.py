"""What of each row is sealed, where it belongs, and how it is packed.

Sealed: raw samples, embeddings, metadata, content hashes, what the prediction log keeps of a query,
outcomes of requests, parameters of calibrations. Not sealed, because they are searched by or needed
to run the service: names of tenants and collections, labels, support ids, states, reasons, origins,
media types, sizes, times, who acted, policies, decisions with label and confidence, corrections,
names of API keys, idempotency keys and the audit trail.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any, cast

from imprint.store.sealing.sealing_key import broken

if TYPE_CHECKING:
    from imprint.store.sealing.keyring import Opener

_LENGTH = struct.Struct(">I")


def support_place(tenant: int, collection: int, added: int) -> bytes:
    """Where a support's private values belong."""
    return b"supports|%d|%d|%d" % (tenant, collection, added)


def embedding_place(tenant: int, collection: int, added: int, encoder_version: str) -> bytes:
    """Where an embedding belongs."""
    return b"embeddings|%d|%d|%d|%s" % (tenant, collection, added, encoder_version.encode())


def raw_place(tenant: int, collection: int, added: int) -> bytes:
    """Where raw bytes in a row belong."""
    return b"raws|%d|%d|%d" % (tenant, collection, added)


def file_place(tenant: int, name: str) -> bytes:
    """Where a file of raw bytes belongs; several supports may share it."""
    return b"files|%d|%s" % (tenant, name.encode())


def generation_place(tenant: int, collection: int, generation: int) -> bytes:
    """Where the parameters of a calibration belong."""
    return b"generations|%d|%d|%d" % (tenant, collection, generation)


def answer_place(tenant: int, answer_id: str) -> bytes:
    """Where a line of the prediction log belongs."""
    return b"answers|%d|%s" % (tenant, answer_id.encode())


def request_place(tenant: int, key: str) -> bytes:
    """Where the outcome of a request belongs."""
    return b"requests|%d|%s" % (tenant, key.encode())


def packed(private: dict[str, Any], vector: bytes = b"") -> bytes:
    """Private values and a vector as the bytes to be sealed."""
    words = json.dumps(private, ensure_ascii=False, separators=(",", ":")).encode()
    return _LENGTH.pack(len(words)) + words + vector


def unpacked(plain: bytes) -> tuple[dict[str, Any], bytes]:
    """What `packed` was given."""
    try:
        (n,) = _LENGTH.unpack_from(plain)
        words = plain[_LENGTH.size : _LENGTH.size + n]
        return cast("dict[str, Any]", json.loads(words)), plain[_LENGTH.size + n :]
    except (struct.error, ValueError):
        raise broken() from None


def opened(opener: Opener, sealed: bytes, place: bytes) -> tuple[dict[str, Any], bytes]:
    """Private values and vector of a sealed row."""
    return unpacked(opener.open(sealed, place))
