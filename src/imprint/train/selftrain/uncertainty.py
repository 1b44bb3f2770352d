"""Monte-Carlo dropout over the coordinates of vectors (Gal and Ghahramani 2016).

The head that answers is a prototype head: linear in its prototypes. Leaving coordinates out at
random and answering again says how much an answer hangs on a few of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from imprint.types import UnitVectors

_SMALLEST = 1e-9


class Doubt(NamedTuple):
    """What many passes say of each query.

    `probabilities` is their mean (n_query, n_way); `agreement` the share of passes that name the
    class of the largest mean; `information` the mutual information of class and dropout in nats
    (Houlsby et al. 2011): how much of the uncertainty is the head's own.
    """

    probabilities: npt.NDArray[np.float32]
    agreement: npt.NDArray[np.float32]
    information: npt.NDArray[np.float32]

    @property
    def best(self) -> npt.NDArray[np.intp]:
        """Class of the largest mean probability."""
        best: npt.NDArray[np.intp] = self.probabilities.argmax(axis=1)
        return best


def doubt(
    queries: UnitVectors,
    prototypes: UnitVectors,
    rng: np.random.Generator,
    *,
    n_passes: int = 20,
    dropout: float = 0.3,
    sharpness: float = 20.0,
) -> Doubt:
    """Answer every query `n_passes` times, each with another part of the coordinates left out."""
    n, width = queries.shape
    total = np.zeros((n, len(prototypes)), dtype=np.float64)
    votes = np.zeros((n, len(prototypes)), dtype=np.int64)
    entropies = np.zeros(n)
    for _ in range(n_passes):
        kept = rng.random(width) >= dropout
        shares = _shares(queries[:, kept], prototypes[:, kept], sharpness)
        total += shares
        votes[np.arange(n), shares.argmax(axis=1)] += 1
        entropies += _entropy(shares)
    mean = total / n_passes
    agreement = votes[np.arange(n), mean.argmax(axis=1)] / n_passes
    information = np.maximum(_entropy(mean) - entropies / n_passes, 0)
    return Doubt(
        mean.astype(np.float32), agreement.astype(np.float32), information.astype(np.float32)
    )


def _shares(
    queries: UnitVectors, prototypes: UnitVectors, sharpness: float
) -> npt.NDArray[np.float32]:
    logits = sharpness * (_unit(queries) @ _unit(prototypes).T)
    logits -= logits.max(axis=1, keepdims=True)
    weights = np.exp(logits)
    shares: npt.NDArray[np.float32] = weights / weights.sum(axis=1, keepdims=True)
    return shares


def _unit(rows: UnitVectors) -> UnitVectors:
    lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _SMALLEST)
    scaled: UnitVectors = (rows / lengths).astype(np.float32)
    return scaled


def _entropy(shares: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    entropy: npt.NDArray[np.float64] = -(shares * np.log(np.maximum(shares, _SMALLEST))).sum(axis=1)
    return entropy
