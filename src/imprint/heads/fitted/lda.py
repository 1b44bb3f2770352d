"""Shrinkage LDA: classes share one covariance, estimated from scatter around class means.

Fisher 1936 with the covariance shrunk towards a multiple of the identity (Ledoit and Wolf 2004);
classes count as equally likely. With one support per class there is no scatter to estimate and
the head ranks classes as the plain prototype does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from imprint.heads.fitted.linear import LinearHead, Row
from imprint.heads.fitted.spectrum import Spectrum, within_class

if TYPE_CHECKING:
    from imprint.heads.supports import SupportSet
    from imprint.types import QueryVectors


@dataclass(frozen=True, slots=True)
class LdaRule:
    """The shared covariance. A class needs only its mean."""

    spectrum: Spectrum
    shrinkage: float

    def features(self, queries: QueryVectors) -> QueryVectors:
        """Queries as they are: the covariance is in the weights."""
        return queries

    def row(self, total: npt.NDArray[np.float64], count: int, label: str) -> Row:  # noqa: ARG002
        """Mean times inverse covariance, and half its Mahalanobis length as the bias.

        The covariance is taken in units of its mean variance, so that scores are of one size
        whether there is scatter to estimate it from or not.
        """
        mean = (total / count).astype(np.float32)
        if self.spectrum.mean_variance <= 0:
            return mean, -0.5 * float(mean @ mean)
        weights = self.spectrum.power(mean[None], self.shrinkage, -1.0)[0]
        weights *= np.float32(self.spectrum.mean_variance)
        return weights, -0.5 * float(weights @ mean)


def lda_rule(supports: SupportSet) -> LdaRule:
    """Estimate the shared covariance; its shrinkage follows from the scatter itself."""
    spectrum = within_class(supports)
    return LdaRule(spectrum, spectrum.cautious_shrinkage())


def lda_head() -> LinearHead:
    """Make an unfitted LDA head."""
    return LinearHead("lda", 0.1, lda_rule)
