"""Does a query belong to any taught class? The evidence for each class, before calibration.

For each class the evidence is the cosine with its prototype, the centered cosine and the cosine
with its nearest support, less what is owed to the query being near everything: the mean cosine
with the five most similar other classes, and with the ten most similar background vectors (as
cohort normalization does in speaker verification: Auckenthaler et al. 2000).

To the best evidence comes the contest: how clearly the head's best class won, as the log-odds of
its probability. A stranger is often torn between classes even where it is near one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from imprint.heads.prototype import centered_cosines

if TYPE_CHECKING:
    from imprint.heads.supports import SupportSet
    from imprint.types import Probabilities, QueryVectors, Similarities, UnitVectors

Evidence = npt.NDArray[np.float32]  # (n_query, n_way), larger is more familiar

# Weights between those best for English intents and those best for Swahili and tickets; the optimum
# is flat (see the record).
_OTHERS, _OTHERS_WEIGHT = 5, 0.8
_BACKGROUND, _BACKGROUND_WEIGHT = 10, 0.3
BACKGROUND_ROWS: Final = 512
_CONTEST_CEILING: Final = 0.01


class Cosines(NamedTuple):
    """What evidence is made of: three cosines per class, and one background term per query."""

    plain: Similarities
    centered: Similarities
    nearest: Similarities
    background: npt.NDArray[np.float32]

    def evidence(self) -> Evidence:
        """Weigh them up; a class whose cosine is -inf is left out, and from the others too."""
        owed = _OTHERS_WEIGHT * _near_others(self.plain)
        total = self.plain + self.centered + self.nearest - owed
        result: Evidence = total - _BACKGROUND_WEIGHT * self.background[:, None]
        return result


def cosines(
    supports: SupportSet,
    queries: QueryVectors,
    bank: UnitVectors | None,
    support_similarities: Similarities | None = None,
) -> Cosines:
    """Compare queries with prototypes, supports and the background bank."""
    plain, centered = centered_cosines(supports, queries)
    if support_similarities is None and supports.n_rows == supports.n_way:
        nearest = plain  # one support each: the prototype is the support
    else:
        near = supports.rows.dot(queries) if support_similarities is None else support_similarities
        nearest = supports.best_per_class(near)
    return Cosines(plain, centered, nearest, _near_background(queries, bank))


def contest(shares: Probabilities) -> npt.NDArray[np.float32]:
    """Log-odds of the best class (n_query,), levelling off where it is all but certain."""
    best = shares.max(axis=1)
    odds: npt.NDArray[np.float32] = np.log(best / (1 - best + _CONTEST_CEILING))
    return odds


def thinned(background: UnitVectors | None, width: int) -> UnitVectors | None:
    """Keep at most BACKGROUND_ROWS of a bank, evenly; None when it does not fit the width."""
    if background is None or background.ndim != 2 or background.shape[1] != width:
        return None
    step = -(-len(background) // BACKGROUND_ROWS) if len(background) else 1
    return np.ascontiguousarray(background[::step], dtype=np.float32)


def _near_others(plain: Similarities) -> Similarities:
    """Mean of the largest five entries of each row, leaving out the column's own."""
    n_way = plain.shape[1]
    n_hidden = int((plain < -2).sum(axis=1).max(initial=0))
    n_others = min(_OTHERS, n_way - 1 - n_hidden)
    if n_others <= 0:
        return np.zeros_like(plain)
    kept = np.maximum(plain, -1.0)
    top = np.partition(kept, n_way - n_others - 1, axis=1)[:, n_way - n_others - 1 :]
    edge = top.min(axis=1, keepdims=True)
    total = top.sum(axis=1, keepdims=True)
    mean: Similarities = np.where(kept > edge, total - kept, total - edge) / n_others
    return mean


def _near_background(queries: QueryVectors, bank: UnitVectors | None) -> npt.NDArray[np.float32]:
    if bank is None or len(bank) < _BACKGROUND:
        return np.zeros(len(queries), dtype=np.float32)
    near = queries @ bank.T
    top = np.partition(near, len(bank) - _BACKGROUND, axis=1)[:, -_BACKGROUND:]
    mean: npt.NDArray[np.float32] = top.mean(axis=1)
    return mean
