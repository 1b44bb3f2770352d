"""Logistic regression that starts at the prototypes and is kept near them.

Scores are a temperature times the cosine to the prototype plus a learned residual; the penalty is
on the residual. So a class taught after the fit begins as its prototype, and a class with new
supports keeps its residual while its prototype moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from imprint.heads.fitted.linear import LinearHead, Row
from imprint.heads.fitted.spectrum import Spectrum, within_class

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imprint.heads.supports import SupportSet
    from imprint.types import QueryVectors

STEPS: Final = 40
_SMALLEST: Final = 1e-9

Rows = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class NearPrototypeRule:
    """A space (centered, perhaps whitened), a temperature and what was learned of each class."""

    mean: npt.NDArray[np.float32]
    spectrum: Spectrum | None
    shrinkage: float
    temperature: float
    residuals: Mapping[str, Row]

    def features(self, queries: QueryVectors) -> Rows:
        """Center, whiten if asked, and return to the unit sphere."""
        moved = queries - self.mean
        if self.spectrum is not None:
            moved = self.spectrum.power(moved, self.shrinkage, -0.5)
        lengths = np.sqrt(np.einsum("ij,ij->i", moved, moved))
        scaled: Rows = moved / np.maximum(lengths, _SMALLEST)[:, None]
        return scaled

    def row(self, total: npt.NDArray[np.float64], count: int, label: str) -> Row:  # noqa: ARG002
        """Prototype direction at the temperature, plus the residual when one was learned."""
        length = max(float(np.linalg.norm(total)), _SMALLEST)
        start = self.temperature * self.features((total / length).astype(np.float32)[None])[0]
        if label not in self.residuals:
            return start, 0.0
        residual, bias = self.residuals[label]
        return start + residual, bias


def near_prototype_rule(
    supports: SupportSet, *, whiten: bool, temperature: float, penalty: float
) -> NearPrototypeRule:
    """Fit residuals to all supports that are of some class."""
    mean = (
        supports.prototypes.matrix().mean(axis=0)
        if supports.n_way > 1
        else np.zeros(supports.rows.width, dtype=np.float32)
    )
    spectrum = within_class(supports) if whiten else None
    if spectrum is not None and spectrum.mean_variance <= 0:
        spectrum = None
    shrinkage = spectrum.cautious_shrinkage() if spectrum is not None else 1.0
    start = NearPrototypeRule(mean, spectrum, shrinkage, temperature, {})
    if supports.n_way < 2:
        return start
    taught = supports.row_class >= 0
    features = start.features(supports.rows.matrix()[taught])
    begun = np.float32(temperature) * start.features(supports.prototypes.matrix())
    learned, biases = fit_residual(
        features, supports.row_class[taught], features @ begun.T, penalty
    )
    residuals = {
        label: (learned[number], float(biases[number]))
        for number, label in enumerate(supports.labels)
    }
    return NearPrototypeRule(mean, spectrum, shrinkage, temperature, residuals)


def fit_residual(
    features: Rows,
    classes: npt.NDArray[np.intp],
    start: npt.NDArray[np.float32],
    penalty: float,
    steps: int = STEPS,
) -> tuple[Rows, npt.NDArray[np.float32]]:
    """Minimize cross-entropy of `start + features @ weights.T + bias` plus penalty.

    The penalty is `penalty / 2` times the squared length of the weights; a tenth of it holds the
    biases. Boehning's bound (1992) gives one fixed curvature for all steps, Nesterov's momentum
    (1983) the speed; a fixed number of steps makes the cost known beforehand.

    Returns weights (n_way, d) and biases (n_way,).
    """
    basis, inputs = _own_coordinates(features)
    inputs = np.hstack([inputs, np.ones((len(inputs), 1), dtype=np.float32)])
    holds = np.full(inputs.shape[1], penalty, dtype=np.float32)
    holds[-1] = penalty / 10
    curvature = 0.5 * (inputs.T @ inputs).astype(np.float64) + np.diag(holds)
    step = np.linalg.inv(curvature).astype(np.float32)
    targets = np.zeros_like(start)
    targets[np.arange(len(classes)), classes] = 1
    at = np.zeros((inputs.shape[1], start.shape[1]), dtype=np.float32)
    ahead, pace = at, 1.0
    for _ in range(steps):
        gap = softmax(start + inputs @ ahead) - targets
        after = ahead - step @ (inputs.T @ gap + holds[:, None] * ahead)
        next_pace = (1 + float(np.sqrt(1 + 4 * pace * pace))) / 2
        ahead = after + np.float32((pace - 1) / next_pace) * (after - at)
        at, pace = after, next_pace
    weights = at[:-1].T if basis is None else at[:-1].T @ basis
    return np.ascontiguousarray(weights), at[-1]


def softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Shares that sum to one in each row."""
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: npt.NDArray[np.float32] = weights / weights.sum(axis=1, keepdims=True)
    return shares


def logistic_head() -> LinearHead:
    """Make an unfitted logistic head."""
    rule = partial(near_prototype_rule, whiten=False, temperature=8.0, penalty=0.05)
    return LinearHead("logistic", 2.0, rule)


def whitened_head() -> LinearHead:
    """Make an unfitted logistic head over whitened vectors."""
    rule = partial(near_prototype_rule, whiten=True, temperature=16.0, penalty=0.1)
    return LinearHead("whitened", 2.0, rule)


def _own_coordinates(features: Rows) -> tuple[Rows | None, Rows]:
    """With fewer rows than dimensions, work in the space the rows span: same optimum, less work.

    The Cholesky factor of the Gram matrix holds the rows' coordinates in an orthonormal basis; the
    small addition to its diagonal lets rows repeat.
    """
    n, width = features.shape
    if n >= width:
        return None, features
    exact = features.astype(np.float64)
    factor = np.linalg.cholesky(exact @ exact.T + 1e-6 * np.eye(n))
    basis = np.linalg.solve(factor, exact)
    return basis.astype(np.float32), factor.astype(np.float32)
