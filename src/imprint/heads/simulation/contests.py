"""How clearly would a head's best class win? Asked of strangers with whole classes left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from imprint.heads.calibration import Calibration
from imprint.heads.nearest import NearestHead
from imprint.heads.open_set import CONTEST_CLASSES, CONTEST_WEIGHT, contest
from imprint.heads.prototype import PrototypeHead
from imprint.heads.supports import SupportSet
from imprint.vectors import RowBlocks

if TYPE_CHECKING:
    from collections.abc import Callable

    from imprint.heads.calibration import Values
    from imprint.heads.protocol import Head
    from imprint.types import QueryVectors, Scores

# Classes are left out in so many parts for up to so many supports; each part fits the head once
# more, and fewer parts leave out more of each stranger's neighbors with it.
_PARTS = ((200, 3), (3000, 8), (10**9, 2))


@dataclass(frozen=True, slots=True)
class Contests:
    """A fitted head with its sharpness, and how to make another of its kind."""

    supports: SupportSet
    head: Head
    fresh: Callable[[], Head]
    sharpness: float

    @property
    def weight(self) -> float:
        """What the contest counts beside the evidence: nothing with few classes."""
        return CONTEST_WEIGHT if self.supports.n_way >= CONTEST_CLASSES else 0.0

    def of(self, scores: Scores) -> Values:
        """Weighted contest of queries with these scores."""
        if not self.weight:
            return np.zeros(len(scores), dtype=np.float32)
        shares = Calibration(sharpness=self.sharpness).class_probabilities(scores)
        return np.float32(self.weight) * contest(shares)

    def here(self, queries: QueryVectors) -> Values:
        """Weighted contest of queries among all taught classes."""
        return self.of(self.head.scores(self.supports, queries))

    def without_own(
        self,
        supports: SupportSet,
        queries: QueryVectors,
        own: npt.NDArray[np.intp],
        rng: np.random.Generator,
    ) -> Values:
        """Weighted contest of supports where the head was fitted without their class.

        A head with fitted weights cannot merely be told to overlook a class: having been fitted
        with it, the others have learned to stay away from there. So some classes at a time are left
        out of a fit. Without fitted weights overlooking is all there is to it.
        """
        found = np.zeros(len(queries), dtype=np.float32)
        if not self.weight:
            return found
        if isinstance(self.head, PrototypeHead | NearestHead):
            scores = self.head.scores(supports, queries)
            scores[np.arange(len(queries)), own] = -np.inf
            return self.of(scores)
        matrix, labels = supports.rows.matrix(), supports.row_labels()
        n_parts = next(parts for most, parts in _PARTS if supports.n_rows <= most)
        for left_out in np.array_split(rng.permutation(supports.n_way), n_parts):
            keep = np.flatnonzero(~np.isin(supports.row_class, left_out))
            kept = SupportSet.of(
                RowBlocks.of(matrix[keep]), [labels[row] for row in keep.tolist()], supports.anchor
            )
            asked = np.isin(own, left_out)
            if asked.any():
                scores = self.fresh().fitted(kept).scores(kept, queries[asked])
                found[asked] = self.of(scores)
        return found
