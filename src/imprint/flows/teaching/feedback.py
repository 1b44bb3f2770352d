"""Feedback: what an answer should have been, what misled it, and what is learned from that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from imprint.errors import AnswerNotFoundError
from imprint.flows.classify import logged_answer
from imprint.flows.teach import Lesson, teach_one
from imprint.types import Embedding, Evidence, RawItem, Receipt, Sample, as_json

if TYPE_CHECKING:
    from imprint.flows.answering.live import LiveCollection
    from imprint.flows.workspace import Workspace
    from imprint.store.ports import AnswerRow

_MOST_COUNTED: Final = 1000
_NORMAL_95: Final = 1.96


@dataclass(frozen=True, slots=True)
class Correction:
    """What became of a piece of feedback.

    `was_right` says whether the answer stands; if not, `misled_by` is the support nearest to the
    query of the class that was answered. `receipt` is there when the query was taught.
    """

    answer_id: str
    label: str | None
    was_right: bool
    misled_by: Evidence | None = None
    receipt: Receipt | None = None

    def to_json(self) -> dict[str, Any]:
        """Shape this as a JSON object."""
        shape: dict[str, Any] = as_json(self)
        return shape


@dataclass(frozen=True, slots=True)
class LiveAccuracy:
    """Share of corrected or confirmed answers that were right, with its 95 % interval.

    Only answers somebody gave feedback on count, and people tell of mistakes more readily: it is
    a floor rather than an estimate.
    """

    n_answers: int
    mean: float
    low: float
    high: float


def feed_back(
    workspace: Workspace, live: LiveCollection, answer_id: str, label: str | None, *, teach: bool
) -> Correction:
    """Store a correction; with `teach`, teach the query under its right label after screening.

    The prediction log holds embeddings, no samples: what is taught from it has no raw sample.

    Raises:
        AnswerNotFoundError: no such answer is on record.
        LabelConflictError: the same sample is taught under another label.
    """
    row = logged_answer(workspace, live, answer_id)
    with workspace.writing("feedback", live.row.name, {"answer_id": answer_id}) as writing:
        writing.put_feedback(answer_id, label, workspace.clock())
    right = _is_right(row, label)
    misled = None if right else _misled(live, row)
    receipt = None
    if teach:
        receipt = teach_one(live, _lesson(live, row, label), workspace.act())
    return Correction(answer_id, label, right, misled, receipt)


def live_accuracy(live: LiveCollection) -> LiveAccuracy | None:
    """Accuracy of real answers from feedback; None while there is none."""
    last = {
        answer_id: label for answer_id, label, _ in live.tenant.feedback(live.row.collection_id)
    }
    rights = []
    for answer_id, label in list(last.items())[-_MOST_COUNTED:]:
        try:
            rights.append(_is_right(live.tenant.answer(answer_id), label))
        except AnswerNotFoundError:
            # The log keeps the newest answers only; its feedback outlives it.
            continue
    return _interval(sum(rights), len(rights)) if rights else None


def _interval(n_right: int, n: int) -> LiveAccuracy:
    """Wilson's score interval (1927)."""
    share, z = n_right / n, _NORMAL_95
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))) / (1 + z * z / n)
    return LiveAccuracy(n, share, max(0.0, middle - half), min(1.0, middle + half))


def _is_right(row: AnswerRow, label: str | None) -> bool:
    return (row.label == label) if label is not None else row.decision == "unknown"


def _misled(live: LiveCollection, row: AnswerRow) -> Evidence | None:
    """The nearest support of the class that was answered; of any class, when none was."""
    snapshot = live.level()
    (near,) = snapshot.nearest(row.vector[None], max(len(snapshot.index), 1))
    return next((one for one in near if row.label in (None, one.label)), None)


def _lesson(live: LiveCollection, row: AnswerRow, label: str | None) -> Lesson:
    sample = Sample(live.row.modality, "", row.content_hash, RawItem(b""))
    embedding = Embedding(row.vector, row.encoder_version, row.content_hash)
    return Lesson(label, sample, embedding, {"answer_id": row.answer_id}, "feedback")
