"""What a head is: supports and queries in, one raw score per class out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from imprint.heads.supports import SupportSet
    from imprint.types import QueryVectors, Scores, Similarities


class Head(Protocol):
    """Scores classes. Frozen; asking twice gives the same answer.

    Scores are raw: larger is better, comparable within one head only; calibration turns them into
    probabilities. `spread` is how far a query's scores usually lie apart (their standard
    deviation over classes): what the sharpness of probabilities is guessed from at first.
    """

    @property
    def name(self) -> str:
        """Name in the catalogue."""
        ...

    @property
    def spread(self) -> float:
        """Usual standard deviation of one query's scores over classes."""
        ...

    def fitted(self, supports: SupportSet) -> Head:
        """Return this head with weights fitted to the supports. May take seconds."""
        ...

    def changed(self, supports: SupportSet, number: int) -> Head:
        """Follow one change at once: class `number` was appended, changed, or is gone.

        Costs O(d) to O(d · rank), whatever the number of supports.
        """
        ...

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
