"""What decides self-training: frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from imprint.errors import InvalidOptionError


@dataclass(frozen=True, slots=True)
class SelfTrainPlan:
    """How unlabeled samples are chosen.

    A pool vector is answered `n_passes` times, each time with a share `dropout` of all coordinates
    left out of it and of the prototypes. It may join where the mean probability of its class is
    `least_sure` or more and its passes agree on the class at least `least_agreement` of the time.
    Of those, each class takes the most certain, up to `n_most` in the last of `n_rounds` rounds
    and proportionally fewer before. `sharpness` turns cosines into probabilities.
    """

    n_rounds: int = 5
    n_passes: int = 20
    dropout: float = 0.3
    sharpness: float = 20.0
    least_sure: float = 0.2
    least_agreement: float = 0.6
    n_most: int = 40
    weight: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.n_rounds, self.n_most) < 1 or self.n_passes < 2:
            raise InvalidOptionError("n_rounds and n_most must be 1 or more, n_passes 2 or more")
        if not 0 < self.dropout < 1:
            raise InvalidOptionError(f"dropout must be between 0 and 1, got {self.dropout}")
        if not (0 <= self.least_sure <= 1 and 0 <= self.least_agreement <= 1):
            raise InvalidOptionError("least_sure and least_agreement must be within 0 .. 1")
        if self.sharpness <= 0 or not 0 < self.weight <= 1:
            raise InvalidOptionError("sharpness must be above 0, and weight within 0 .. 1")
