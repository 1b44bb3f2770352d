"""From scores and probabilities to decisions: recognized, ambiguous or unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from imprint.types import Candidate, DecisionKind
from imprint.vectors import top_k

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.heads.calibration import Values
    from imprint.types import Probabilities, Scores, Similarities

# Two classes this close in probability are told apart by noise: the answer is ambiguous.
_AMBIGUOUS_RATIO: Final = 0.9
# Probability that a repeated sample is of the class it was taught under: owners err, too.
_TAUGHT_RIGHT: Final = 0.99


@dataclass(frozen=True, slots=True)
class Decision:
    """Answer to one query: kind, label, confidence, `known` and the classes considered.

    `known` is the probability that the query belongs to some taught class, taking both cases as
    alike likely beforehand. `confidence` is the probability that the best candidate is right if
    the query is of a taught class; with a single class taught, it is `known`.
    """

    kind: DecisionKind
    label: str | None
    confidence: float
    known: float
    candidates: tuple[Candidate, ...]


class Check(NamedTuple):
    """Outcome of a 1:1 check; `threshold` is the confidence that would just have passed."""

    accepted: bool
    confidence: float
    threshold: float


class Weighed(NamedTuple):
    """What a batch of queries came to: scores and probabilities per class, and being known.

    `scores` orders the classes, `shares` are their probabilities.
    """

    scores: Scores
    shares: Probabilities
    known: Values

    def as_taught(self, repeats: npt.NDArray[np.bool_]) -> Weighed:
        """Answer what was taught word for word as it was taught, whatever its class says now.

        A receipt promises that its support is recognizable. A class of many supports may have its
        prototype, or its boundary, far from one of them; the sample itself is better evidence.
        Under two labels the two share the answer.
        """
        rows: npt.NDArray[np.bool_] = np.any(repeats, axis=1)
        taught = repeats / np.maximum(repeats.sum(axis=1, keepdims=True), 1)
        sure = (_TAUGHT_RIGHT * taught + (1 - _TAUGHT_RIGHT) * self.shares).astype(np.float32)
        shares = np.where(rows[:, None], sure, self.shares)
        scores = np.where(rows[:, None], shares, self.scores)
        return Weighed(scores, shares, np.where(rows, np.float32(1), self.known))

    def decisions(
        self, labels: Sequence[str], plain: Similarities, k: int, limit: float
    ) -> list[Decision]:
        """Name the best `k` candidates of each query; under `limit` it is unknown."""
        order = top_k(self.scores, max(k, 2))
        made = []
        for row, chosen in enumerate(order.tolist()):
            candidates = tuple(
                Candidate(labels[c], float(self.shares[row, c]), float(plain[row, c]))
                for c in chosen
            )
            sure = float(self.known[row])
            kind = _kind(candidates, sure >= limit)
            label = candidates[0].label if kind == "recognized" else None
            made.append(Decision(kind, label, candidates[0].confidence, sure, candidates[:k]))
        return made


def _kind(candidates: tuple[Candidate, ...], is_known: bool) -> DecisionKind:  # noqa: FBT001
    if not is_known:
        return "unknown"
    if len(candidates) > 1:
        first, second = candidates[0].confidence, candidates[1].confidence
        if second >= _AMBIGUOUS_RATIO * first:
            return "ambiguous"
    return "recognized"
