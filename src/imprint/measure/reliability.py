"""Does confidence mean what it says? Reliability bins and the expected calibration error.

Queries are grouped by confidence; in each group the mean confidence should equal the share that
was right (Naeini et al. 2015, Guo et al. 2017). Groups of equal mass are the default because
equal-width groups are mostly empty where a head is sure of itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from imprint.errors import InvalidOptionError
from imprint.measure.metrics import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.measure.metrics import Floats

Spacing = Literal["mass", "width"]
Ratios = npt.NDArray[np.float64]
N_BINS = 15
_N_RESAMPLES = 400


@dataclass(frozen=True, slots=True)
class Reliability:
    """Non-empty confidence bins, least confident first.

    `confidence` is the mean claimed, `accuracy` the share that was right, `n` the queries.
    """

    confidence: Ratios
    accuracy: Ratios
    n: npt.NDArray[np.int64]

    @property
    def ece(self) -> float:
        """Expected calibration error: mean gap between claimed and true, weighted by queries."""
        gaps = np.abs(self.confidence - self.accuracy)
        return float((gaps * self.n).sum() / self.n.sum())

    @property
    def worst_gap(self) -> float:
        """Largest gap of any bin."""
        return float(np.abs(self.confidence - self.accuracy).max())


def reliability(
    confidence: Floats, correct: npt.NDArray[np.bool_], n_bins: int = N_BINS, by: Spacing = "mass"
) -> Reliability:
    """Group queries by confidence into bins of equal mass or equal width.

    Equal confidences always share a bin, so the outcome does not depend on the order of the
    queries; ties may leave fewer than `n_bins` bins, and empty ones are left out.

    Raises:
        InvalidOptionError: no query, or a confidence outside 0 .. 1.
    """
    sums = _bin_sums(confidence, correct, _edges(confidence, n_bins, by))
    filled = sums[sums[:, 0] > 0]
    n = filled[:, 0]
    return Reliability(filled[:, 1] / n, filled[:, 2] / n, n.astype(np.int64))


def expected_calibration_error(
    confidence: Floats, correct: npt.NDArray[np.bool_], n_bins: int = N_BINS, by: Spacing = "mass"
) -> float:
    """Mean gap between claimed confidence and the share that was right; 0 is perfect."""
    return reliability(confidence, correct, n_bins, by).ece


def ece_interval(
    confidence: Sequence[Floats],
    correct: Sequence[npt.NDArray[np.bool_]],
    rng: np.random.Generator,
    n_bins: int = N_BINS,
) -> Estimate:
    """Calibration error over all episodes together, with a bootstrap interval over episodes.

    One episode holds too few queries for 15 bins (its own error would be mostly noise, always
    upward), so queries are pooled first. Bins stay fixed while episodes are drawn again.
    """
    pooled = np.concatenate(confidence)
    edges = _edges(pooled, n_bins, "mass")
    sums = np.stack([_bin_sums(c, r, edges) for c, r in zip(confidence, correct, strict=True)])
    n_episodes = len(sums)
    whole = _ece_of(sums.sum(axis=0)[None])[0]
    if n_episodes == 1:
        return Estimate(float(whole), float("nan"))
    draws = rng.multinomial(n_episodes, np.full(n_episodes, 1 / n_episodes), size=_N_RESAMPLES)
    again = _ece_of(np.tensordot(draws.astype(np.float64), sums, axes=1))
    low, high = np.quantile(again, [0.025, 0.975])
    return Estimate(float(whole), float((high - low) / 2))


def _edges(confidence: Floats, n_bins: int, by: Spacing) -> Ratios:
    """Inner bin limits; a confidence equal to a limit belongs to the bin above it."""
    if not len(confidence):
        raise InvalidOptionError("calibration needs at least one query; got 0")
    if not (confidence >= 0).all() or not (confidence <= 1).all():
        raise InvalidOptionError("confidences must be finite and within 0 .. 1")
    if by == "width":
        return np.arange(1, n_bins) / n_bins
    ordered = np.sort(np.asarray(confidence, dtype=np.float64))
    return np.unique(ordered[np.arange(1, n_bins) * len(ordered) // n_bins])


def _bin_sums(confidence: Floats, correct: npt.NDArray[np.bool_], edges: Ratios) -> Ratios:
    """Per bin: number of queries, summed confidence, number right. Shape (n_bins, 3)."""
    claimed = np.asarray(confidence, dtype=np.float64)
    place = np.searchsorted(edges, claimed, side="right")
    n_bins = len(edges) + 1
    columns = (None, claimed, correct.astype(np.float64))
    return np.stack([np.bincount(place, weights=w, minlength=n_bins) for w in columns], axis=1)


def _ece_of(sums: Ratios) -> Ratios:
    """Calibration error of bin sums (n_resamples, n_bins, 3)."""
    gaps = np.abs(sums[..., 1] - sums[..., 2]).sum(axis=-1)
    errors: Ratios = gaps / sums[..., 0].sum(axis=-1)
    return errors
