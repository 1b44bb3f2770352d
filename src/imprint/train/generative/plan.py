"""What decides how a generator is trained: frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from imprint.errors import InvalidOptionError

KINDS: Final = ("gaussian", "vae", "gan")


@dataclass(frozen=True, slots=True)
class GeneratorPlan:
    """How a generator learns from pairs of samples of the same class.

    `kind` is "gaussian" (vectors, closed form), "vae" or "gan". The rest is for the two networks,
    but for `decay`: it also evens out what the gaussian one measured within classes.
    `noise` is the standard deviation, in units of one coordinate's, that the autoencoder allows
    between what it makes and the real sample: larger leaves less to the latent numbers. `decay`
    pulls the change a generator makes towards none at all.
    """

    kind: str = "gaussian"
    n_steps: int = 1500
    batch: int = 128
    n_hidden: int = 256
    n_latent: int = 16
    rate: float = 1e-3
    decay: float = 0.01
    noise: float = 0.7
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InvalidOptionError(
                f"no generator {self.kind!r}; choose one of {', '.join(KINDS)}"
            )
        for name in ("n_steps", "batch", "n_hidden", "n_latent"):
            if getattr(self, name) < 1:
                raise InvalidOptionError(f"{name} must be a whole number from 1 on")
        if self.rate <= 0 or self.noise <= 0 or self.decay < 0:
            raise InvalidOptionError("rate and noise must be above 0, and decay not below")
