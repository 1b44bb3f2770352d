"""Answering: from a snapshot and query embeddings to answers. Writes nothing."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from imprint.errors import EncoderMismatchError, LabelNotFoundError
from imprint.types import Answer, Verification
from imprint.vectors import stacked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.flows.answering.snapshot import Snapshot
    from imprint.types import Embedding, QueryVectors

N_EVIDENCE = 5


def answers(
    snapshot: Snapshot,
    embeddings: Sequence[Embedding],
    *,
    encoder_version: str,
    top_k: int,
    notes: Sequence[tuple[str, ...]] = (),
) -> list[Answer]:
    """Answer queries: decision, calibrated candidates and the supports that made them.

    Raises:
        EncoderMismatchError: an embedding was made by another encoder than the supports'.
    """
    queries = _comparable(embeddings, encoder_version, snapshot)
    return [
        _answer(snapshot, queries[i : i + 1], encoder_version, top_k, notes[i] if notes else ())
        for i in range(len(queries))
    ]


def _answer(
    snapshot: Snapshot,
    query: QueryVectors,
    encoder_version: str,
    top_k: int,
    notes: tuple[str, ...],
) -> Answer:
    # One query at a time: a matrix product over several rows rounds differently, and an answer
    # must not depend on what else was asked in the same call.
    similarities = snapshot.index.similarities(query)
    (decision,) = snapshot.decider.decide(query, top_k=top_k, support_similarities=similarities)
    (evidence,) = snapshot.nearest(query, max(top_k, N_EVIDENCE), similarities)
    return Answer(
        id=f"a_{secrets.token_hex(10)}",
        decision=decision.kind,
        label=decision.label,
        confidence=decision.confidence,
        candidates=decision.candidates,
        evidence=evidence,
        encoder_version=encoder_version,
        generation=snapshot.generation,
        sequence=snapshot.sequence,
        notes=notes,
    )


def verification(
    snapshot: Snapshot,
    embedding: Embedding,
    label: str,
    *,
    encoder_version: str,
    false_accept_rate: float,
) -> Verification:
    """Answer whether one query belongs to one class.

    Raises:
        LabelNotFoundError: there is no such class.
    """
    if label not in snapshot.decider.labels:
        raise LabelNotFoundError("there is no such class in this collection; see its labels")
    queries = _comparable([embedding], encoder_version, snapshot)
    ((accepted, confidence, threshold),) = snapshot.decider.verify(queries, label)
    return Verification(accepted, confidence, threshold, false_accept_rate)


def _comparable(embeddings: Sequence[Embedding], version: str, snapshot: Snapshot) -> QueryVectors:
    for embedding in embeddings:
        if embedding.encoder_version != version:
            raise EncoderMismatchError(
                f"a query embedded by {embedding.encoder_version} cannot be compared with supports "
                f"embedded by {version}"
            )
    return stacked((one.vector for one in embeddings), snapshot.index.rows.width)
