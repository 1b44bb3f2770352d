"""How clearly would a head's best class win? Asked of strangers with whole classes left out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from imprint.heads.fitted.adapted import AdaptedHead
from imprint.heads.fitted.logistic import softmax
from imprint.heads.nearest import NearestHead
from imprint.heads.open_set import contest
from imprint.heads.prototype import PrototypeHead
from imprint.heads.supports import SupportSet
from imprint.vectors import RowBlocks

if TYPE_CHECKING:
    from collections.abc import Callable

    from imprint.heads.calibration import Values
    from imprint.heads.protocol import Head
    from imprint.types import QueryVectors, Scores

# Fewer classes say nothing about strangers.
_LEAST_CLASSES: Final = 5
# Weight of the contest in log-odds. Cosines alone hardly tell what the evidence does not; of heads
# with fitted weights it counts fully among many classes, half among eight.
_OF_COSINES, _OF_WEIGHTS, _HALF_CLASSES = 0.05, 0.4, 8.0
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
        n_way = self.supports.n_way
        if n_way < _LEAST_CLASSES:
            return 0.0
        if isinstance(self.head, PrototypeHead | NearestHead):
            return _OF_COSINES
        return _OF_WEIGHTS * n_way / (n_way + _HALF_CLASSES)

    def among(
        self,
        head: Head,
        supports: SupportSet,
        queries: QueryVectors,
        own: npt.NDArray[np.intp] | None = None,
    ) -> Values:
        """Weighted contest of queries among the classes of a fitted head, `own` overlooked."""
        if not self.weight:
            return np.zeros(len(queries), dtype=np.float32)
        logits = rivalry(head, supports, queries, self.sharpness)
        if own is not None:
            logits[np.arange(len(queries)), own] = -np.inf
        return np.float32(self.weight) * contest(softmax(logits))

    def here(self, queries: QueryVectors) -> Values:
        """Weighted contest of queries among all taught classes."""
        return self.among(self.head, self.supports, queries)

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
            return self.among(self.head, supports, queries, own)
        matrix, labels = supports.rows.matrix(), supports.row_labels()
        n_parts = next(parts for most, parts in _PARTS if supports.n_rows <= most)
        for left_out in np.array_split(rng.permutation(supports.n_way), n_parts):
            keep = np.flatnonzero(~np.isin(supports.row_class, left_out))
            kept = SupportSet.of(
                RowBlocks.of(matrix[keep]), [labels[row] for row in keep.tolist()], supports.anchor
            )
            asked = np.isin(own, left_out)
            if asked.any():
                found[asked] = self.among(self._refitted(kept), kept, queries[asked])
        return found

    def _refitted(self, kept: SupportSet) -> Head:
        """Fit what the contest hears of: of the adapted head one part, which is half the work."""
        fresh = self.fresh()
        if isinstance(fresh, AdaptedHead):
            return replace(fresh, plain=fresh.plain.fitted(kept))
        return fresh.fitted(kept)


def rivalry(
    head: Head,
    supports: SupportSet,
    queries: QueryVectors,
    sharpness: float,
    scores: Scores | None = None,
) -> Scores:
    """Logits the contest is read from: the head's scores (at hand, perhaps), made sharp.

    Of the adapted head only the centered fit is heard: whitening and neighbors make it right more
    often, and sure of strangers, too.
    """
    if isinstance(head, AdaptedHead):
        return head.plain.scores(supports, queries)
    return np.float32(sharpness) * (head.scores(supports, queries) if scores is None else scores)
