"""Classifying: from sources to logged answers, and from the log back to the same answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imprint.errors import AnswerNotFoundError, ImprintError, InvalidOptionError
from imprint.flows.answering.decoding import sample_of
from imprint.flows.answering.encoding import embed
from imprint.flows.answering.recognizer import answers
from imprint.flows.policy import Policy
from imprint.store.ports import AnswerRow
from imprint.types import Embedding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from imprint.flows.answering.live import LiveCollection
    from imprint.flows.workspace import Workspace
    from imprint.types import Answer, Sample

_MOST_CANDIDATES = 100
_ASKED_ALONE = "first answered together with other queries; this is the answer for it alone"


def classify_samples(
    workspace: Workspace,
    live: LiveCollection,
    samples: Sequence[Sample],
    top_k: int,
    *,
    transductive: bool = False,
) -> list[Answer]:
    """Embed and answer samples; each answer goes to the prediction log when that is kept."""
    if not 1 <= top_k <= _MOST_CANDIDATES:
        raise InvalidOptionError(f"top_k must be within 1 .. {_MOST_CANDIDATES}, got {top_k}")
    if not samples:
        return []
    version = live.row.encoder_version
    embeddings = embed(workspace.shelf.versioned(version), samples)
    made = answers(
        live.current(),
        embeddings,
        encoder_version=version,
        top_k=top_k,
        notes=[sample.notes for sample in samples],
        transductive=transductive,
    )
    if live.screener is not None:
        live.screener.heard([one.vector for one in embeddings])
    if live.policy.log_answers and workspace.settings.log_answers:
        for embedding, answer in zip(embeddings, made, strict=True):
            workspace.log.append(live.tenant, _row(workspace, live, embedding, answer, top_k))
    return made


def classify_sources(
    workspace: Workspace,
    live: LiveCollection,
    sources: Iterable[Any],
    top_k: int,
    *,
    transductive: bool = False,
) -> list[Answer | ImprintError]:
    """Answer many sources; a refused source gives its error in its place."""
    decoded: list[Sample | ImprintError] = []
    for source in sources:
        try:
            decoded.append(sample_of(live, source))
        except ImprintError as error:
            decoded.append(error)
    samples = [one for one in decoded if not isinstance(one, ImprintError)]
    found = iter(classify_samples(workspace, live, samples, top_k, transductive=transductive))
    return [one if isinstance(one, ImprintError) else next(found) for one in decoded]


def replayed(live: LiveCollection, row: AnswerRow) -> Answer:
    """Answer a logged query again, from the supports, thresholds and policy of that moment.

    An answer that other queries of its call informed is given again for the query alone, and says
    so: what was asked with it is not kept together.
    """
    snapshot = live.as_of(row.sequence, row.generation, Policy.of(row.detail["policy"]))
    (answer,) = answers(
        snapshot,
        [Embedding(row.vector, row.encoder_version, row.content_hash)],
        encoder_version=live.row.encoder_version,
        top_k=row.detail["top_k"],
        notes=[(_ASKED_ALONE,)] if row.detail.get("transductive") else (),
    )
    return answer


def logged_answer(workspace: Workspace, live: LiveCollection, answer_id: str) -> AnswerRow:
    """Find an answer of this collection in the prediction log.

    Raises:
        AnswerNotFoundError: no such answer is on record here.
    """
    workspace.log.flush()
    row = live.tenant.answer(answer_id)
    if row.collection_id != live.row.collection_id:
        raise AnswerNotFoundError("there is no such answer on record in this collection")
    return row


def _row(
    workspace: Workspace, live: LiveCollection, embedding: Embedding, answer: Answer, top_k: int
) -> AnswerRow:
    return AnswerRow(
        answer_id=answer.id,
        collection_id=live.row.collection_id,
        content_hash=embedding.content_hash,
        vector=embedding.vector,
        encoder_version=answer.encoder_version,
        generation=answer.generation,
        sequence=answer.sequence,
        decision=answer.decision,
        label=answer.label,
        confidence=answer.confidence,
        detail={
            "top_k": top_k,
            "policy": live.row.policy,
            **({"transductive": True} if answer.transductive else {}),
        },
        answered_at=workspace.clock(),
    )
