"""Rows to store, made from numbers, so that tests say only what matters to them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from imprint.store.ports import AnswerRow, CollectionRow, NewSupport
from imprint.types import RawItem

if TYPE_CHECKING:
    from imprint.store.ports import TenantStore
    from imprint.types import UnitVector

NOW = datetime(2026, 3, 14, 15, 9, 26, 535897, tzinfo=UTC)
DIM = 8
ENCODER = "toy@1"


def vector(number: int, dim: int = DIM) -> UnitVector:
    """A unit vector that only this number has."""
    row = np.random.default_rng(number).normal(size=dim).astype(np.float32)
    unit: UnitVector = row / np.linalg.norm(row)
    return unit


def content(number: int, size: int = 20) -> bytes:
    """Bytes that only this number has."""
    return np.random.default_rng(number).bytes(size)


def new_support(
    number: int, label: str | None = "cat", size: int = 20, **others: Any
) -> NewSupport:
    """A support whose id, vector, content hash and raw bytes follow from its number."""
    raw = content(number, size)
    fields: dict[str, Any] = {
        "support_id": f"s{number}",
        "label": label,
        "state": "active",
        "encoder_version": ENCODER,
        "content_hash": hashlib.sha256(raw).hexdigest(),
        "vector": vector(number),
        "raw": RawItem(raw, "text/plain"),
        "origin": "test",
    }
    return NewSupport(**{**fields, **others})


def new_collection(name: str = "pets", **others: Any) -> CollectionRow:
    """A collection whose id follows from its name."""
    fields: dict[str, Any] = {
        "collection_id": f"id of {name}",
        "name": name,
        "modality": "text",
        "encoder_name": "toy",
        "encoder_version": ENCODER,
        "dim": DIM,
        "policy": {"head": "prototype"},
        "sequence": 0,
        "created_at": NOW,
    }
    return CollectionRow(**{**fields, **others})


def new_answer(number: int, collection_id: str, **others: Any) -> AnswerRow:
    """An answer whose id follows from its number."""
    fields: dict[str, Any] = {
        "answer_id": f"a{number}",
        "collection_id": collection_id,
        "content_hash": f"h{number}",
        "vector": vector(number),
        "encoder_version": ENCODER,
        "generation": 1,
        "sequence": 3,
        "decision": "recognized",
        "label": "cat",
        "confidence": 0.1 + 0.2,
        "detail": {"candidates": [["cat", 0.9]]},
        "answered_at": NOW,
    }
    return AnswerRow(**{**fields, **others})


def make(tenant: TenantStore, name: str = "pets", **others: Any) -> str:
    """Create a collection; returns its id."""
    row = new_collection(name, **others)
    with tenant.transaction("create", actor="ann", now=NOW, collection=name) as transaction:
        transaction.create_collection(row)
    return row.collection_id


def add(tenant: TenantStore, collection_id: str, *supports: NewSupport) -> list[int]:
    """Teach in one transaction."""
    with tenant.transaction("teach", actor="ann", now=NOW) as transaction:
        return transaction.add_supports(collection_id, supports)


def remove(tenant: TenantStore, collection_id: str, *ids: str, erase: bool = False) -> int:
    """Forget in one transaction."""
    with tenant.transaction("forget", actor="ann", now=NOW) as transaction:
        return transaction.remove_supports(collection_id, ids, erase=erase)
