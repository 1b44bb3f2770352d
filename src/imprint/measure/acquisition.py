"""Which unlabeled items are worth a label: uncertain ones that stand for many others.

Greedy maximization of a weighted facility-location function (Wei, Iyer and Bilmes, "Submodularity
in data subset selection and active learning", 2015). Each unlabeled item weighs as much as the
present classes are unsure of it; an item is worth how much nearer it brings that weight to
something labelled, over what the supports cover already. We depart from the paper in using the
margin of calibrated confidences as the weight, and supports as the starting cover. Greedy is within
1 - 1/e of the best choice because the function is submodular; that also lets stale gains wait in
a heap until they surface.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from imprint.types import SupportVectors, UnitVectors

# Items compared with each other at most: 3,000 squared is 36 MB and a tenth of a second.
MOST_COMPARED = 3000


class Choice(NamedTuple):
    """An item worth labelling: its row, and the share of all uncertainty its label would cover."""

    row: int
    worth: float


def choose(
    items: UnitVectors,
    margins: npt.NDArray[np.float32],
    supports: SupportVectors,
    n: int,
) -> list[Choice]:
    """Choose up to n items to label next, best first.

    Args:
        items: unlabeled unit vectors (n_items, d).
        margins: confidence of the best candidate minus that of the second, 0 .. 1, per item; 0
            where nothing is taught.
        supports: what is taught already (n_support, d); may be empty.
        n: how many to choose.
    """
    if not len(items) or n < 1:
        return []
    considered = np.argsort(margins, kind="stable")[:MOST_COMPARED]
    vectors = items[considered]
    weights = (1.0 - np.clip(margins[considered], 0.0, 1.0)) ** 2 + 1e-6
    cover = (
        (vectors @ supports.T).max(axis=1)
        if len(supports)
        else np.zeros(len(vectors), dtype=np.float32)
    )
    total = float(weights @ (1.0 - cover)) or 1.0
    near = vectors @ vectors.T
    gains = np.maximum(near - cover, 0.0) @ weights
    heap = [(-gain, i, 0) for i, gain in enumerate(gains.tolist())]
    heapq.heapify(heap)
    chosen: list[Choice] = []
    while heap and len(chosen) < n:
        gain, i, asked_at = heapq.heappop(heap)
        if asked_at < len(chosen):
            fresh = float(np.maximum(near[i] - cover, 0.0) @ weights)
            heapq.heappush(heap, (-fresh, i, len(chosen)))
            continue
        chosen.append(Choice(int(considered[i]), min(1.0, -gain / total)))
        cover = np.maximum(cover, near[i])
    return chosen
