"""Prototype: a class scores as the cosine of its mean direction with the query.

Snell, Swersky, Zemel 2017, with cosine in place of Euclidean distance. Centered, the mean of all
prototypes is taken off both sides first: what all classes share tells none from another (Wang et
al. 2019, SimpleShot, which centers by the mean of the training set).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from imprint.heads.supports import SupportSet
    from imprint.types import QueryVectors, Scores, Similarities

_SMALLEST = 1e-9


@dataclass(frozen=True, slots=True)
class PrototypeHead:
    """Cosine to the prototypes the support set keeps up to date."""

    name: str = "prototype"
    spread: float = 0.12
    centered: bool = True

    def fitted(self, supports: SupportSet) -> PrototypeHead:  # noqa: ARG002 - part of the protocol
        """Nothing to fit."""
        return self

    def changed(self, supports: SupportSet, number: int) -> PrototypeHead:  # noqa: ARG002
        """Nothing to follow: the support set did."""
        return self

    def scores(
        self,
        supports: SupportSet,
        queries: QueryVectors,
        support_similarities: Similarities | None = None,  # noqa: ARG002 - part of the protocol
    ) -> Scores:
        """Cosine with each prototype: (n_query, n_way)."""
        if not self.centered:
            return supports.prototypes.dot(queries)
        return centered_cosines(supports, queries)[1]


def centered_cosines(
    supports: SupportSet, queries: QueryVectors
) -> tuple[Similarities, Similarities]:
    """Cosines with each prototype: as they are, and after taking the mean off both sides.

    One product with the queries serves both: (q - m)(p - m) = qp - qm - mp + mm.
    """
    center = supports.center()
    plain, of_center = supports.prototypes.dot(queries), supports.of_center()
    square = float(center @ center)
    of_queries = queries @ center
    top = plain - of_queries[:, None] - of_center[None] + square
    query_length = np.sqrt(np.maximum(1 - 2 * of_queries + square, _SMALLEST))
    class_length = np.sqrt(np.maximum(1 - 2 * of_center + square, _SMALLEST))
    cosines: Similarities = (top / query_length[:, None] / class_length).astype(np.float32)
    return plain, cosines
