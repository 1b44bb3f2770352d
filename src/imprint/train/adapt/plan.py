"""What decides an adaptation, and the value it ends with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imprint.errors import InvalidOptionError

if TYPE_CHECKING:
    from imprint.train.adapt.evidence import Comparison


@dataclass(frozen=True, slots=True)
class AdaptPlan:
    """Settings of one adaptation; the defaults suit 3 to 20 examples of each of 5 to 200 classes.

    `n_layers` upper layers move, those below stay and are computed once. A step shows
    `n_each` examples of up to `n_classes` classes. `temperature` divides cosines in the loss.
    `lora_rank` above 0 trains low-rank additions (Hu et al. 2022) in place of whole matrices.
    Training stops after `seconds` in any case. `precision` "half" computes in bf16.
    """

    epochs: int = 12
    rate: float = 1e-4
    temperature: float = 0.07
    dropout: float = 0.1
    n_layers: int = 3
    n_each: int = 5
    n_classes: int = 80
    lora_rank: int = 0
    seconds: float = 120.0
    precision: str = "half"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("n_layers", 1), ("n_each", 2), ("n_classes", 2)):
            if getattr(self, name) < least:
                raise InvalidOptionError(f"{name} must be {least} or more")
        if self.rate <= 0 or self.temperature <= 0 or self.seconds <= 0:
            raise InvalidOptionError("rate, temperature and seconds must be greater than 0")
        if not 0 <= self.dropout < 1 or self.lora_rank < 0:
            raise InvalidOptionError("dropout must be in 0 .. 1 and lora_rank 0 or more")
        if self.precision not in ("half", "full"):
            raise InvalidOptionError(f"precision is {self.precision!r}; it is half or full")


@dataclass(frozen=True, slots=True)
class Adaptation:
    """How an adaptation went. `comparison` is None where no example could be held out."""

    comparison: Comparison | None
    published: bool
    n_texts: int
    n_classes: int
    n_steps: int
    final_loss: float
    seconds: float
