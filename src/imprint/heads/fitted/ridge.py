"""Ridge: least squares on one-hot targets with a penalty on the weights (Hoerl, Kennard 1970)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from imprint.heads.fitted.linear import LinearHead, Row
from imprint.heads.fitted.spectrum import Spectrum

if TYPE_CHECKING:
    from imprint.heads.supports import SupportSet
    from imprint.types import QueryVectors

# The one setting: best or within a point of best at every shot of the sets in the record.
PENALTY: Final = 1.0


@dataclass(frozen=True, slots=True)
class RidgeRule:
    """Mean and scatter of all supports: what one-hot least squares needs besides class sums."""

    mean: npt.NDArray[np.float32]
    spectrum: Spectrum
    penalty: float

    def features(self, queries: QueryVectors) -> QueryVectors:
        """Queries as they are."""
        return queries

    def row(self, total: npt.NDArray[np.float64], count: int, label: str) -> Row:  # noqa: ARG002
        """Solve for one class against the rest."""
        n = max(self.spectrum.n_rows, 1)
        pull = (total - count * self.mean).astype(np.float32)
        inside = 1 / (n * self.spectrum.variances + self.penalty)
        weights = self.spectrum.scaled(pull[None], inside, 1 / self.penalty)[0]
        return weights, count / n - float(weights @ self.mean)


def ridge_rule(supports: SupportSet, penalty: float = PENALTY) -> RidgeRule:
    """Take mean and scatter of all supports that are of some class."""
    rows = supports.rows.matrix()[supports.row_class >= 0]
    mean = rows.mean(axis=0, dtype=np.float64) if len(rows) else np.zeros(supports.rows.width)
    spectrum = Spectrum.of((rows - mean).astype(np.float32))
    return RidgeRule(mean.astype(np.float32), spectrum, penalty)


def ridge_head() -> LinearHead:
    """Make an unfitted ridge head."""
    return LinearHead("ridge", 0.08, ridge_rule)
