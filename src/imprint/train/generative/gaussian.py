"""A linear Gaussian generator in closed form: how classes lie, and how samples lie around them.

Probabilistic linear discriminant analysis (Ioffe 2006): class means and the samples around them
are both Gaussian. Given one sample of a class, other samples of it are Gaussian too, around the
posterior mean of the class. It is the conditional autoencoder's linear case without its training:
few other classes are enough, where a network learns those classes by heart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from imprint.errors import InvalidOptionError
from imprint.train.generative.pairs import Pairs
from imprint.vectors import unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.train.generative.plan import GeneratorPlan
    from imprint.types import UnitVectors

Matrix = npt.NDArray[np.float64]

# What few classes say about directions between classes is mixed with every direction alike.
_EVEN_SHARE: Final = 0.5
# How much wider new classes are taken to lie than the means of those learned from.
_WIDER: Final = 3.0


@dataclass(frozen=True)
class GaussianGenerator:
    """Vectors of a support's class: posterior mean of the class, and samples around it."""

    mean: Matrix
    towards: Matrix  # (d, d): from a support, less the mean, to the expected class mean
    spread: Matrix  # (d, d): a root of the covariance of samples around that
    n_classes: int
    kind: str = "gaussian"

    def made(self, supports: UnitVectors, n_each: int, seed: int = 0) -> UnitVectors:
        """`n_each` vectors for each support, in their order.

        Samples come in opposite pairs, so that their mean stays where the class is expected.
        """
        if supports.ndim != 2 or supports.shape[1] != len(self.mean):
            raise InvalidOptionError(
                f"the generator makes vectors of width {len(self.mean)}, got {supports.shape}"
            )
        rng = np.random.default_rng(seed)
        expected = (supports - self.mean) @ self.towards + self.mean
        noise = rng.normal(size=(len(supports), (n_each + 1) // 2, len(self.mean))) @ self.spread
        pairs = np.stack([noise, -noise], axis=2).reshape(len(supports), -1, len(self.mean))
        made = expected[:, None] + pairs[:, :n_each]
        return unit(made.reshape(-1, len(self.mean)))


def fit_gaussian(
    samples: UnitVectors,
    labels: Sequence[str] | npt.NDArray[np.generic],
    plan: GeneratorPlan,
) -> GaussianGenerator:
    """Measure both covariances on classes with two samples or more.

    Raises:
        TooFewSupportsError: fewer than two classes hold two samples.
        InvalidOptionError: the samples are no vectors.
    """
    if samples.ndim != 2:
        raise InvalidOptionError("the gaussian generator makes vectors only; use vae or gan")
    n_classes = Pairs(labels).n_classes
    names, numbers, counts = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
    exact = samples.astype(np.float64)
    sums = np.zeros((len(names), exact.shape[1]))
    np.add.at(sums, numbers, exact)
    means = sums / counts[:, None]
    apart = exact - means[numbers]
    within = apart.T @ apart / max(1, int((counts - 1).sum()))
    between = np.cov(means[counts > 1].T)
    between = _WIDER * _evened(between)
    within = _evened(within, plan.decay)
    towards = np.linalg.solve(between + within, between).astype(np.float64)
    left = between - between @ towards  # what one support leaves open about the class mean
    return GaussianGenerator(means.mean(axis=0), towards, _root(within + left), n_classes)


def _evened(covariance: Matrix, share: float = _EVEN_SHARE) -> Matrix:
    """Part of the variance spread over all directions alike."""
    share = min(1.0, share)
    width = len(covariance)
    evened: Matrix = (1 - share) * covariance + share * np.trace(covariance) / width * np.eye(width)
    return evened


def _root(covariance: Matrix) -> Matrix:
    values, directions = np.linalg.eigh((covariance + covariance.T) / 2)
    root: Matrix = np.sqrt(np.maximum(values, 0))[:, None] * directions.T
    return root
