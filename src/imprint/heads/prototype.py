"""Prototype: a class scores as the cosine of its mean direction with the query.

Snell, Swersky, Zemel 2017, with cosine in place of Euclidean distance: on unit vectors the two
order classes alike once the prototype is returned to the sphere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imprint.heads.supports import SupportSet
    from imprint.types import QueryVectors, Scores, Similarities


@dataclass(frozen=True, slots=True)
class PrototypeHead:
    """Cosine to the prototypes the support set keeps up to date."""

    name = "prototype"

    def scores(
        self,
        supports: SupportSet,
        queries: QueryVectors,
        support_similarities: Similarities | None = None,  # noqa: ARG002 - part of the protocol
    ) -> Scores:
        """Cosine with each prototype: (n_query, n_way)."""
        return supports.prototypes.dot(queries)
