"""Simulated questions to the supports themselves: what known and unknown queries would score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from imprint.heads.calibration import Calibration, Values

if TYPE_CHECKING:
    from imprint.heads.protocol import Head
    from imprint.heads.supports import SupportSet
    from imprint.types import UnitVectors

# Supports asked at most: beyond that the estimates stop moving and the time does not.
_ASKED = 1000
# What a fit with no evidence of its own falls back on, and how many observations it is worth.
_PRIOR_UNKNOWN_MEAN, _PRIOR_UNKNOWN_SPREAD, _PRIOR_WEIGHT = 0.28, 0.12, 8.0
_PRIOR_RISE: Final = 0.45  # known score on the way from the unknown mean to one, one support


class Simulated(NamedTuple):
    """Best scores of simulated queries: of a left-out class, and of the query's own class."""

    unknown: Values
    known: Values


def simulate(supports: SupportSet, head: Head, rng: np.random.Generator) -> Simulated:
    """Ask supports as if they were queries, leaving themselves or their class out."""
    taught = np.flatnonzero(supports.row_class >= 0)
    if len(taught) > _ASKED:
        taught = np.sort(rng.choice(taught, _ASKED, replace=False))
    if not len(taught):
        return Simulated(np.empty(0, np.float32), np.empty(0, np.float32))
    queries = np.stack([supports.rows.row(row) for row in taught.tolist()])
    scores = head.scores(supports, queries)
    own = supports.row_class[taught]
    index = np.arange(len(taught))
    others = scores.copy()
    others[index, own] = -np.inf
    unknown = others.max(axis=1) if supports.n_way > 1 else np.empty(0, np.float32)
    several = supports.counts[own] > 1
    rest = np.stack([supports.sums[c] for c in own.tolist()])[several] - queries[several]
    lengths = np.maximum(np.linalg.norm(rest, axis=1), 1e-6)
    known = np.einsum("ij,ij->i", rest, queries[several]) / lengths
    return Simulated(unknown, known.astype(np.float32))


def fit_calibration(
    supports: SupportSet,
    head: Head,
    false_accept_rate: float,
    background: UnitVectors | None,
    rng: np.random.Generator,
) -> Calibration:
    """Set sharpness and thresholds from simulated queries, with a prior while there are few."""
    if not supports.n_way:
        return Calibration(head=head.name, false_accept_rate=false_accept_rate)
    seen = simulate(supports, head, rng)
    center, spread, weight = _PRIOR_UNKNOWN_MEAN, _PRIOR_UNKNOWN_SPREAD, _PRIOR_WEIGHT
    if background is not None and len(background) > 1:
        far = head.scores(supports, background[:_ASKED]).max(axis=1)
        center = max(center, float(far.mean()))
    n = len(seen.unknown)
    mean = (n * float(seen.unknown.mean()) + weight * center) / (n + weight) if n else center
    swing = float(seen.unknown.var()) if n > 1 else spread**2
    spread = float(np.sqrt((n * swing + weight * spread**2) / (n + weight)))
    threshold = mean + _upper_point(false_accept_rate) * spread
    own = mean + _PRIOR_RISE * (1 - mean)
    if len(seen.known):
        own = (len(seen.known) * float(seen.known.mean()) + weight * own) / (
            len(seen.known) + weight
        )
    own = max(own, mean + 0.5 * spread)
    return Calibration(
        head=head.name,
        false_accept_rate=false_accept_rate,
        known_midpoint=(own + mean) / 2,
        known_slope=(own - mean) / spread**2,
        threshold=threshold,
        verify_threshold=threshold,
        n_supports=supports.n_rows,
        n_way=supports.n_way,
    )


def _upper_point(rate: float) -> float:
    """Point of the standard normal exceeded with probability `rate` (Hastings 1955, 26.2.23)."""
    tail = min(rate, 1 - rate)
    t = float(np.sqrt(-2 * np.log(max(tail, 1e-12))))
    top = 2.515517 + 0.802853 * t + 0.010328 * t * t
    bottom = 1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t**3
    point = t - top / bottom
    return point if rate <= 0.5 else -point
