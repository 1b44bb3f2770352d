"""Lines of the prediction log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imprint.store.rows import to_bytes, to_json, to_number
from imprint.store.sealing.records import answer_place, packed

if TYPE_CHECKING:
    from imprint.store.ports import AnswerRow
    from imprint.store.sealing.keyring import Sealer
    from imprint.store.session import Values


def answer_values(row: AnswerRow, tenant: int, number: int, sealer: Sealer | None) -> Values:
    """One answer as column values; what tells of the query is sealed where there is a key."""
    private = {"content_hash": row.content_hash, "detail": to_json(row.detail)}
    vector = to_bytes(row.vector)
    sealed = None
    if sealer is not None:
        sealed = sealer.seal(packed(private, vector), answer_place(tenant, row.answer_id))
        private, vector = {"content_hash": "", "detail": "{}"}, b""
    return {
        "tenant": tenant,
        "collection": number,
        "answer_id": row.answer_id,
        "content_hash": private["content_hash"],
        "vector": vector,
        "encoder_version": row.encoder_version,
        "generation": row.generation,
        "sequence": row.sequence,
        "decision": row.decision,
        "label": row.label,
        "confidence": row.confidence,
        "detail": private["detail"],
        "answered_at": to_number(row.answered_at),
        "sealed": sealed,
        "sealed_by": None if sealer is None else sealer.number,
    }
