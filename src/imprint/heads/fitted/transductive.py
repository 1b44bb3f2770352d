"""Answering a batch together: what its queries have in common moves the boundaries between classes.

Scores get a residual, linear in the queries, that makes the batch informative about its classes:
each query's answer certain, the answers of the batch spread over classes. Both are measured by
Tsallis' entropy of order alpha, as in alpha-TIM (Veilleux et al. 2021): beyond order 1, spreading
the batch evenly is not insisted upon, so classes may be asked unequally often. In place of a term
for the supports the residual is held near zero: the head's own scores are the supports' word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from imprint.heads.fitted.logistic import softmax

if TYPE_CHECKING:
    from imprint.types import QueryVectors

Table = npt.NDArray[np.float32]  # (n_query, n_way)

# With fewer queries or classes there is nothing to be learned of one query from the others.
LEAST_QUERIES: Final = 2
LEAST_CLASSES: Final = 2
# Lower orders gain more on balanced batches, but lose on unbalanced ones (see the record).
_ALPHA: Final = 3.0
_PENALTY: Final = 0.003
_STEPS, _STEP = 100, 2.0
_TEMPER_STEPS: Final = 24


class Pull(NamedTuple):
    """The objective at some logits, and its slope there."""

    value: float
    slope: Table


def informed(
    features: QueryVectors, logits: Table, weights: npt.NDArray[np.float32] | None = None
) -> Table:
    """Logits of a batch after its queries have heard each other.

    How sure to be is left as it was: the result is tempered so that the mean probability of the
    best class stays that of the logits given.

    Args:
        features: unit rows, best with what all classes share taken off.
        logits: one row per query, whose softmax is the calibrated answer for it alone.
        weights: how much each query counts, as one that is likely of no class should not.
    """
    count = np.ones(len(logits), dtype=np.float32) if weights is None else weights
    total = float(count.sum())
    if len(logits) < LEAST_QUERIES or logits.shape[1] < LEAST_CLASSES or total <= 0:
        return logits
    moved = logits + residual(features, logits, count / np.float32(total))
    return _tempered(moved, logits)


def residual(features: QueryVectors, logits: Table, shares: npt.NDArray[np.float32]) -> Table:
    """What to add to the logits: a fixed number of steps down the objective's slope.

    `features @ weights` is learned, through the queries' own products where they are fewer than
    the dimensions: the same steps, less work.
    """
    few = len(features) < features.shape[1]
    left: Table = np.asarray(features @ features.T if few else features, dtype=np.float32)
    right: Table = np.asarray(features.T, dtype=np.float32)
    learned: Table = np.zeros((left.shape[1], logits.shape[1]), dtype=np.float32)
    step, held = np.float32(_STEP), np.float32(_PENALTY)
    for _ in range(_STEPS):
        slope = uncertainty((logits + left @ learned).astype(np.float32), shares).slope
        down = slope if few else right @ slope
        learned -= step * (down + held * learned)
    added: Table = left @ learned
    return added


def uncertainty(logits: Table, shares: npt.NDArray[np.float32], alpha: float = _ALPHA) -> Pull:
    """Mean entropy of the answers less the entropy of their mean, of order alpha, and its slope.

    Args:
        logits: one row per query.
        shares: what each query counts; they sum to one.
        alpha: order of the entropy, not 1.
    """
    answers = softmax(logits)
    mean = shares @ answers
    value = float((mean**alpha).sum() - shares @ (answers**alpha).sum(axis=1)) / (alpha - 1)
    per_answer = alpha / (alpha - 1) * (mean ** (alpha - 1) - answers ** (alpha - 1))
    centered = per_answer - (per_answer * answers).sum(axis=1, keepdims=True)
    slope: Table = (shares[:, None] * answers * centered).astype(logits.dtype)
    return Pull(value, slope)


def _tempered(moved: Table, logits: Table) -> Table:
    """Scale so that the best class is on average as likely as it was."""
    wanted = float(softmax(logits).max(axis=1).mean())
    low, high = 0.05, 2.0
    for _ in range(_TEMPER_STEPS):
        middle = (low + high) / 2
        if float(softmax(np.float32(middle) * moved).max(axis=1).mean()) < wanted:
            low = middle
        else:
            high = middle
    scaled: Table = np.float32((low + high) / 2) * moved
    return scaled
