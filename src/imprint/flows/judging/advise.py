"""Advice: which of these unlabeled sources to label next, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from imprint.errors import ImprintError, InvalidOptionError
from imprint.flows.answering.decoding import sample_of
from imprint.flows.answering.encoding import embed
from imprint.flows.answering.recognizer import answers
from imprint.measure.acquisition import choose
from imprint.types import as_json
from imprint.vectors import stacked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imprint.flows.answering.live import LiveCollection
    from imprint.flows.workspace import Workspace
    from imprint.types import Answer, Candidate, DecisionKind, Sample

MOST_UNLABELED = 100_000


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One source worth a label.

    `position` counts the given sources from 0. `worth` (0 .. 1) is the share of what the present
    classes are unsure of that this label would cover, after the suggestions before it. `because`
    says it in words; the decision and candidates are what would be answered today.
    """

    position: int
    worth: float
    decision: DecisionKind
    candidates: tuple[Candidate, ...]
    because: str

    def to_json(self) -> dict[str, Any]:
        """Shape this suggestion as a JSON object."""
        shape: dict[str, Any] = as_json(self)
        return shape


def advise(
    workspace: Workspace, live: LiveCollection, unlabeled: Iterable[Any], n: int
) -> list[Suggestion]:
    """Choose up to n of the sources, best first. Unreadable sources are passed over.

    Raises:
        InvalidOptionError: n is out of range, or there are more sources than can be compared.
    """
    if not 1 <= n <= 1000:
        raise InvalidOptionError(f"n must be within 1 .. 1,000, got {n}")
    positions, samples = _readable(unlabeled, live)
    if not samples:
        return []
    version = live.row.encoder_version
    embeddings = embed(workspace.shelf.versioned(version), samples)
    snapshot = live.current()
    today = answers(snapshot, embeddings, encoder_version=version, top_k=3)
    margins = np.array([_margin(answer) for answer in today], dtype=np.float32)
    items = stacked((one.vector for one in embeddings), live.row.dim)
    return [
        Suggestion(
            position=positions[choice.row],
            worth=round(choice.worth, 4),
            decision=today[choice.row].decision,
            candidates=today[choice.row].candidates,
            because=_because(today[choice.row]),
        )
        for choice in choose(items, margins, snapshot.index.rows.matrix(), n)
    ]


def _readable(unlabeled: Iterable[Any], live: LiveCollection) -> tuple[list[int], list[Sample]]:
    positions: list[int] = []
    samples: list[Sample] = []
    live.level()
    for position, source in enumerate(unlabeled):
        if position >= MOST_UNLABELED:
            raise InvalidOptionError(f"at most {MOST_UNLABELED:,} sources are compared at once")
        try:
            sample = sample_of(live, source)
        except ImprintError:
            continue
        if live.known_content(sample.content_hash) is None:
            positions.append(position)
            samples.append(sample)
    return positions, samples


def _margin(answer: Answer) -> float:
    """How sure today's answer is: 0 for unknown or a tie, 1 for certainty."""
    if answer.decision == "unknown" or not answer.candidates:
        return 0.0
    others = answer.candidates[1].confidence if len(answer.candidates) > 1 else 0.0
    return answer.candidates[0].confidence - others


def _because(answer: Answer) -> str:
    if not answer.candidates:
        return "nothing is taught yet"
    best = answer.candidates[0]
    if answer.decision == "unknown":
        return f"unlike every class; nearest is {best.label!r} at {best.similarity:.2f}"
    if answer.decision == "ambiguous" and len(answer.candidates) > 1:
        return f"between {best.label!r} and {answer.candidates[1].label!r}"
    return (
        f"looks like {best.label!r} (confidence {best.confidence:.2f}) and stands for many others"
    )
