"""Does adapting pay? Examples held out of their classes answer, frozen against adapted.

The rule of `auto` (docs/which-head-when.md), asked of encoders in place of heads: what was held
out must be clearly less surprised by the truth after adapting than before. Both encoders get the
same head on the same kept examples. There is no validation set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from imprint.heads.auto import HEADS
from imprint.heads.supports import SupportSet
from imprint.vectors import RowBlocks

if TYPE_CHECKING:
    import numpy.typing as npt

    from imprint.types import UnitVectors

    Numbers = npt.NDArray[np.intp]

_HEAD = "adapted"
_FEW_CLASSES = 5  # below, the adapted head has too little scatter to go by (heads/auto.py)
_SHARPEST = tuple(float(x) for x in np.geomspace(0.05, 40.0, 60))
CLEARLY = 1.0


class Comparison(NamedTuple):
    """Held-out examples under both encoders. Accuracies are ratios, losses in nats.

    `gain` is the mean fall of the loss and `error` its standard error; `pays` when the gain is
    more than one standard error and accuracy has not fallen.
    """

    n_held: int
    frozen_accuracy: float
    adapted_accuracy: float
    gain: float
    error: float

    @property
    def pays(self) -> bool:
        """Whether the adapted encoder is clearly better on what it has not seen."""
        better = self.adapted_accuracy >= self.frozen_accuracy
        return bool(better and self.gain > CLEARLY * self.error)


class Fold(NamedTuple):
    """Rows kept and rows held out of one round."""

    kept: Numbers
    held: Numbers


def folds(classes: Numbers, n_folds: int, rng: np.random.Generator) -> list[Fold]:
    """Hold out about a fifth, at least one example, of each class with two or more, per fold.

    Fewer folds come back where the fullest class cannot fill them; none where every class has
    a single example.
    """
    mixed = {int(c): rng.permutation(np.flatnonzero(classes == c)) for c in np.unique(classes)}
    found = []
    for number in range(n_folds):
        held: list[int] = []
        for rows in mixed.values():
            n_out = max(1, len(rows) // 5)
            if len(rows) >= 2 and (number + 1) * n_out <= len(rows):
                held.extend(rows[number * n_out : (number + 1) * n_out].tolist())
        if held:
            kept = np.setdiff1d(np.arange(len(classes)), held)
            found.append(Fold(kept, np.array(held, dtype=np.intp)))
    return found


def scores(vectors: UnitVectors, classes: Numbers, fold: Fold) -> npt.NDArray[np.float64]:
    """Raw scores (n_held, n_way) of the held-out rows, by the head `auto` usually takes."""
    labels = [f"{c:09d}" for c in classes[fold.kept].tolist()]
    supports = SupportSet.of(RowBlocks.of(vectors[fold.kept]), labels)
    many = supports.n_way >= _FEW_CLASSES and supports.n_rows > supports.n_way
    head = HEADS[_HEAD if many else "prototype"]().fitted(supports)
    found = head.scores(supports, vectors[fold.held]).astype(np.float64)
    order = np.argsort([int(label) for label in supports.labels])
    return found[:, order]


def compared(
    frozen: list[npt.NDArray[np.float64]],
    adapted: list[npt.NDArray[np.float64]],
    truth: list[Numbers],
) -> Comparison:
    """Compare scores of the same held-out rows, fold by fold, at each one's best sharpness."""
    right = np.concatenate(truth)
    before, after = np.concatenate(frozen), np.concatenate(adapted)
    fall = _least_surprised(before, right) - _least_surprised(after, right)
    return Comparison(
        n_held=len(right),
        frozen_accuracy=float((before.argmax(axis=1) == right).mean()),
        adapted_accuracy=float((after.argmax(axis=1) == right).mean()),
        gain=float(fall.mean()),
        error=float(fall.std() / np.sqrt(len(fall))),
    )


def _least_surprised(found: npt.NDArray[np.float64], right: Numbers) -> npt.NDArray[np.float64]:
    spread = float(found.std(axis=1).mean()) or 1.0
    losses = [_surprise(found * (sharp / spread), right) for sharp in _SHARPEST]
    return min(losses, key=lambda one: float(one.mean()))


def _surprise(logits: npt.NDArray[np.float64], right: Numbers) -> npt.NDArray[np.float64]:
    top = logits.max(axis=1, keepdims=True)
    total = np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0]
    found: npt.NDArray[np.float64] = total - logits[np.arange(len(right)), right]
    return found
