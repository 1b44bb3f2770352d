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

    name: str = "nearest"
    spread: float = 0.12

    def fitted(self, supports: SupportSet) -> NearestHead:  # noqa: ARG002 - part of the protocol
        """Nothing to fit."""
        return self

    def changed(self, supports: SupportSet, number: int) -> NearestHead:  # noqa: ARG002
        """Nothing to follow."""
        return self

    def scores(
        self,
        supports: SupportSet,
        queries: QueryVectors,
        support_similarities: Similarities | None = None,
    ) -> Scores:
        """Largest cosine per class: (n_query, n_way)."""
        near = supports.rows.dot(queries) if support_similarities is None else support_similarities
        return supports.best_per_class(near)
