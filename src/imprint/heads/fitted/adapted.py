"""The adapted head: two logistic fits near the prototypes, and the neighbors' word.

One fit sees centered vectors, the other whitened ones; their log-probabilities are averaged. A
softened nearest-neighbor term is added, which hears a new support before any weight is refitted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from imprint.heads.fitted.linear import LinearHead
from imprint.heads.fitted.logistic import logistic_head, whitened_head

if TYPE_CHECKING:
    from imprint.heads.supports import SupportSet
    from imprint.types import QueryVectors, Scores, Similarities

# Weight and sharpness of the neighbor term: flat optimum over the sets in the record.
_NEIGHBOR_WEIGHT: Final = 0.15
_NEIGHBOR_SHARPNESS: Final = 20.0


@dataclass(frozen=True, slots=True)
class AdaptedHead:
    """Average of two fits plus neighbors. Answers at once after a change; refitted later."""

    name: str = "adapted"
    spread: float = 2.0
    plain: LinearHead = field(default_factory=logistic_head)
    whitened: LinearHead = field(default_factory=whitened_head)

    def fitted(self, supports: SupportSet) -> AdaptedHead:
        """Fit both to all supports."""
        return AdaptedHead(
            plain=self.plain.fitted(supports), whitened=self.whitened.fitted(supports)
        )

    def changed(self, supports: SupportSet, number: int) -> AdaptedHead:
        """Move one class in both; what was learned stays."""
        return AdaptedHead(
            plain=self.plain.changed(supports, number),
            whitened=self.whitened.changed(supports, number),
        )

    def scores(
        self,
        supports: SupportSet,
        queries: QueryVectors,
        support_similarities: Similarities | None = None,
    ) -> Scores:
        """Averaged log-probabilities with the neighbor term: (n_query, n_way)."""
        near = supports.rows.dot(queries) if support_similarities is None else support_similarities
        warmth = supports.sum_per_class(np.exp(_NEIGHBOR_SHARPNESS * (near - 1)))
        neighbors = np.log(warmth / supports.counts + 1e-12)
        both = _log_shares(self.plain.scores(supports, queries))
        both = both + _log_shares(self.whitened.scores(supports, queries))
        scores: Scores = (0.5 * both + _NEIGHBOR_WEIGHT * neighbors).astype(np.float32)
        return scores


def _log_shares(logits: Scores) -> Scores:
    moved = logits - logits.max(axis=1, keepdims=True)
    shares: Scores = moved - np.log(np.exp(moved).sum(axis=1, keepdims=True))
    return shares
