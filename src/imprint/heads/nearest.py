"""Nearest neighbor: a class scores as its support most similar to the query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imprint.heads.supports import SupportSet
    from imprint.types import QueryVectors, Scores, Similarities


@dataclass(frozen=True, slots=True)
class NearestHead:
    """Cosine nearest neighbor. Has no weights: the supports are the head."""

    name = "nearest"

    def scores(
        self,
        supports: SupportSet,
        queries: QueryVectors,
        support_similarities: Similarities | None = None,
    ) -> Scores:
        """Largest cosine per class: (n_query, n_way)."""
        near = supports.rows.dot(queries) if support_similarities is None else support_similarities
        return supports.best_per_class(near)
