"""What a head is: supports and queries in, one raw score per class out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from imprint.heads.supports import SupportSet
    from imprint.types import QueryVectors, Scores, Similarities


class Head(Protocol):
    """Scores classes. Frozen; asking twice gives the same answer.

    Scores are raw: larger is better, comparable within one head only. Calibration turns them
    into probabilities.
    """

    name: str

    def scores(
        self,
        supports: SupportSet,
        queries: QueryVectors,
        support_similarities: Similarities | None = None,
    ) -> Scores:
        """Score every class for every query: (n_query, n_way), in the order of `labels`.

        `support_similarities` (n_query, n_rows) is passed when the caller has it already.
        """
        ...
