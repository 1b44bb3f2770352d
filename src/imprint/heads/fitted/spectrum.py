"""Covariance as directions and their variances, and powers of its shrunk form.

With fewer supports than dimensions the covariance has few directions. Keeping those and one
number for all others makes everything here cost O(d · rank) a row, whatever the power.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from imprint.heads.supports import SupportSet

Rows = npt.NDArray[np.float32]
_TRUST = 0.375


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Principal directions (r, d) of centered rows, the variance along each, and the row count."""

    directions: Rows
    variances: npt.NDArray[np.float64]
    n_rows: int
    fourth_moment: float

    @classmethod
    def of(cls, rows: Rows) -> Spectrum:
        """Analyze rows whose mean has been taken off. Variance is the mean square."""
        n, width = rows.shape
        exact = rows.astype(np.float64)
        squares = np.einsum("ij,ij->i", exact, exact)
        if n < width:
            values, left = np.linalg.eigh(exact @ exact.T)
            kept = values > 1e-9 * max(float(values[-1]), 1e-30) if n else values > 0
            directions = (left[:, kept] / np.sqrt(values[kept])).T @ exact
        else:
            values, right = np.linalg.eigh(exact.T @ exact)
            kept = values > 1e-9 * max(float(values[-1]), 1e-30)
            directions = right[:, kept].T
        fourth = float((squares**2).sum())
        return cls(directions.astype(np.float32), values[kept] / max(n, 1), n, fourth)

    @property
    def mean_variance(self) -> float:
        """Average variance of a coordinate."""
        width = max(int(self.directions.shape[1]), 1)
        return float(self.variances.sum()) / width

    def shrinkage(self) -> float:
        """Share of the identity in the best estimate (Ledoit and Wolf 2004, lemma 3.2 ff.)."""
        width = self.directions.shape[1]
        if not len(self.variances):
            return 1.0
        square = float((self.variances**2).sum())
        off = (square - 2 * self.mean_variance * self.variances.sum()) / width
        off += self.mean_variance**2
        noise = (self.fourth_moment / self.n_rows - square) / (width * self.n_rows)
        return float(min(max(noise, 0.0), float(off)) / float(off)) if off > 0 else 1.0

    def cautious_shrinkage(self) -> float:
        """The same, held back further: few-shot scatter misleads beyond its sampling noise.

        Scatter of a handful of supports is that of these supports, not of the queries to come; a
        good third of what the estimate trusts is what helped on five text sets (see the record).
        """
        return 1.0 - _TRUST * (1.0 - self.shrinkage())

    def power(self, rows: Rows, shrinkage: float, exponent: float) -> Rows:
        """Multiply rows by the shrunk covariance raised to a power.

        The shrunk covariance is (1 - shrinkage) S + shrinkage (trace S / d) I.
        """
        outside = (shrinkage * self.mean_variance) ** exponent
        values = (1 - shrinkage) * self.variances + shrinkage * self.mean_variance
        return self.scaled(rows, values**exponent, outside)

    def scaled(self, rows: Rows, inside: npt.NDArray[np.float64], outside: float) -> Rows:
        """Scale the part of rows along each direction by `inside`, and the rest by `outside`."""
        along = rows @ self.directions.T
        bent = (along * (inside - outside).astype(np.float32)) @ self.directions
        result: Rows = (np.float32(outside) * rows + bent).astype(np.float32)
        return result


def within_class(supports: SupportSet) -> Spectrum:
    """Spectrum of how supports scatter around the mean of their class."""
    return supports.once("within_class", lambda: _scatter(supports))


def _scatter(supports: SupportSet) -> Spectrum:
    taught = supports.row_class >= 0
    rows, own = supports.rows.matrix()[taught], supports.row_class[taught]
    if not len(own):
        return Spectrum.of(rows)
    means = np.stack(supports.sums) / supports.counts[:, None]
    several = supports.counts[own] > 1
    return Spectrum.of((rows - means[own])[several].astype(np.float32))
