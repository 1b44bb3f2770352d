"""From raw scores to probabilities: the few numbers fitted on simulated episodes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from imprint.errors import InvalidOptionError

if TYPE_CHECKING:
    from imprint.types import Probabilities, Scores

KIND: Final = "calibration.v2"
# A change of a tenth of the supports moves thresholds less than their own uncertainty.
STALE_RATIO: Final = 0.10

Values = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Numbers that turn a head's scores into probabilities; small, and saved as JSON.

    `head` is the head in use (what "auto" chose). `sharpness` multiplies its scores before the
    softmax over classes. A query's familiarity is its best evidence plus `contest_weight` times
    the contest (see `open_set`). Familiarity of `known_midpoint` is as likely from a query of a
    taught class as from one of none, and `known_slope` says how fast that changes; familiarity
    under `threshold` answers unknown. `verify_midpoint` and `verify_threshold` are the same for the
    evidence for one named class. Thresholds are set for `false_accept_rate`. `n_supports` and
    `n_way` are what it was fitted on.
    """

    head: str = "prototype"
    false_accept_rate: float = 0.05
    sharpness: float = 12.0
    contest_weight: float = 0.0
    known_midpoint: float = 1.0
    known_slope: float = 5.0
    threshold: float = 1.0
    verify_midpoint: float = 1.0
    verify_threshold: float = 1.0
    n_supports: int = 0
    n_way: int = 0

    def class_probabilities(self, scores: Scores) -> Probabilities:
        """Probability of each class, given that the query belongs to one: rows sum to one."""
        logits = np.float32(self.sharpness) * (scores - scores.max(axis=1, keepdims=True))
        weights = np.exp(logits)
        shares: Probabilities = weights / weights.sum(axis=1, keepdims=True)
        return shares

    def known(self, familiarity: Values) -> Values:
        """Probability that a query of this familiarity belongs to some taught class.

        Taken alike likely beforehand: the number compares queries, it is no forecast of traffic.
        """
        return self._sigmoid(familiarity - np.float32(self.known_midpoint))

    def verified(self, evidence: Values) -> Values:
        """Probability that a query with this evidence for a named class belongs to it."""
        return self._sigmoid(evidence - np.float32(self.verify_midpoint))

    @property
    def known_limit(self) -> float:
        """Least `known` that is not answered unknown."""
        return float(self.known(np.array([self.threshold], dtype=np.float32))[0])

    @property
    def verified_limit(self) -> float:
        """Least `verified` that is accepted."""
        return float(self.verified(np.array([self.verify_threshold], dtype=np.float32))[0])

    def _sigmoid(self, above: Values) -> Values:
        logit = np.clip(self.known_slope * above, -30, 30)
        shares: Values = 1 / (1 + np.exp(-logit))
        return shares

    def is_stale(self, n_supports: int, n_way: int, n_changes: int) -> bool:
        """Whether the supports have moved on too far since the fit."""
        if n_changes == 0 and (n_supports, n_way) == (self.n_supports, self.n_way):
            return False
        moved = max(n_changes, abs(n_supports - self.n_supports))
        grown = abs(n_way - self.n_way) >= STALE_RATIO * max(self.n_way, 1)
        return moved >= STALE_RATIO * max(self.n_supports, 1) or grown

    def to_parameters(self) -> dict[str, Any]:
        """Shape as a JSON object with its versioned kind."""
        return {"kind": KIND, **asdict(self)}

    @classmethod
    def from_parameters(cls, parameters: dict[str, Any]) -> Calibration:
        """Read back what `to_parameters` wrote.

        Raises:
            InvalidOptionError: it is of another kind or lacks a field.
        """
        if parameters.get("kind") != KIND:
            raise InvalidOptionError(f"expected a {KIND}, got {parameters.get('kind')!r}")
        names = {f.name for f in fields(cls)}
        missing = names - set(parameters)
        if missing:
            raise InvalidOptionError(f"the calibration lacks {len(missing)} fields; fit it again")
        return cls(**{name: parameters[name] for name in names})
