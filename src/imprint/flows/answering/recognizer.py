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
    from imprint.heads import Decision
    from imprint.types import Embedding, Evidence, QueryVectors

N_EVIDENCE = 5
MOST_TOGETHER = 1024


def answers(
    snapshot: Snapshot,
    embeddings: Sequence[Embedding],
    *,
    encoder_version: str,
    top_k: int,
    notes: Sequence[tuple[str, ...]] = (),
    transductive: bool = False,
) -> list[Answer]:
    """Answer queries: decision, calibrated candidates and the supports that made them.

    `transductive`: queries inform each other, up to 1,024 in a row, and answers are marked so. A
    query that is alone, and a collection of one class, are answered as ever.

    Raises:
        EncoderMismatchError: an embedding was made by another encoder than the supports'.
    """
    queries = _comparable(embeddings, encoder_version, snapshot)
    # One query at a time: a matrix product over several rows rounds differently, and an answer
    # must not depend on what else was asked in the same call, unless that is asked for.
    size = MOST_TOGETHER if transductive and snapshot.decider.supports.n_way > 1 else 1
    made: list[Answer] = []
    for at in range(0, len(queries), size):
        taken = notes[at : at + size] if notes else [()] * size
        made += _answered(snapshot, queries[at : at + size], encoder_version, top_k, taken)
    return made


def _answered(
    snapshot: Snapshot,
    queries: QueryVectors,
    encoder_version: str,
    top_k: int,
    notes: Sequence[tuple[str, ...]],
) -> list[Answer]:
    """Answer queries, which inform each other where there are several."""
    together = len(queries) > 1
    similarities = snapshot.index.similarities(queries)
    decisions = snapshot.decider.decide(
        queries, top_k=top_k, support_similarities=similarities, transductive=together
    )
    evidence = snapshot.nearest(queries, max(top_k, N_EVIDENCE), similarities)
    return [
        _answer(snapshot, decision, near, encoder_version, noted, transductive=together)
        for decision, near, noted in zip(decisions, evidence, notes, strict=False)
    ]


def _answer(
    snapshot: Snapshot,
    decision: Decision,
    evidence: tuple[Evidence, ...],
    encoder_version: str,
    notes: tuple[str, ...],
    *,
    transductive: bool,
) -> Answer:
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
        transductive=transductive,
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
