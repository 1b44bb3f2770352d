"""A trained generator: supports in, other samples of their classes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
import torch

from imprint.errors import DivergedError, InvalidOptionError
from imprint.train.generative.bodies import DrawingBody, VectorBody
from imprint.train.generative.gan import Adversaries, Maker
from imprint.train.generative.gaussian import fit_gaussian
from imprint.train.generative.pairs import Pairs
from imprint.train.generative.vae import ConditionalVae

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imprint.train.generative.plan import GeneratorPlan

    Progress = Callable[[str, int, int], None]

Samples = npt.NDArray[np.float32]  # (n, d) unit vectors, or (n, 28, 28) ink 0 .. 1


class Generator(Protocol):
    """Makes samples of the classes that supports are of."""

    @property
    def kind(self) -> str:
        """Which generator it is."""
        ...

    @property
    def n_classes(self) -> int:
        """Classes it learned from."""
        ...

    def made(self, supports: Samples, n_each: int, seed: int = 0) -> Samples:
        """`n_each` samples for each support, in their order: (n_supports * n_each, ...)."""
        ...


@dataclass(frozen=True)
class NetworkGenerator:
    """Makes samples; the same seed of the same supports makes the same ones."""

    network: ConditionalVae | Maker
    kind: str
    n_classes: int
    final_loss: float

    def made(self, supports: Samples, n_each: int, seed: int = 0) -> Samples:
        """`n_each` samples for each support, in their order: (n_supports * n_each, ...)."""
        conditions = _tensor(np.repeat(supports, n_each, axis=0))
        dice = torch.Generator().manual_seed(seed)
        latent = torch.randn(len(conditions), self.network.n_latent, generator=dice)
        with torch.inference_mode():
            made = self.network.eval().written(conditions, latent)
        return _array(made, supports)


def fit(
    samples: Samples,
    labels: Sequence[str] | npt.NDArray[np.generic],
    plan: GeneratorPlan,
    progress: Progress | None = None,
) -> Generator:
    """Learn from classes with several samples how samples of one class differ.

    Raises:
        TooFewSupportsError: fewer than two classes hold two samples.
        InvalidOptionError: the samples are neither vectors nor drawings of 28 by 28.
        DivergedError: the loss is no number any more.
    """
    if plan.kind == "gaussian":
        return fit_gaussian(samples, labels, plan)
    pairs, rng = Pairs(labels), np.random.default_rng(plan.seed)
    tensor = _tensor(samples)
    body = VectorBody(tensor.shape[1], plan) if tensor.ndim == 2 else DrawingBody(plan)
    network, step = _learner(body, plan)
    dice = torch.Generator().manual_seed(plan.seed)
    loss = torch.zeros(())
    for number in range(plan.n_steps):
        conditions, targets = pairs.drawn(plan.batch, rng)
        loss = step(tensor[conditions], tensor[targets], dice)
        if number % 50 == 0:
            _check(loss, number)
            if progress is not None:
                progress("training the generator", number, plan.n_steps)
    _check(loss, plan.n_steps)
    return NetworkGenerator(network.eval(), plan.kind, pairs.n_classes, float(loss))


def _learner(
    body: VectorBody | DrawingBody, plan: GeneratorPlan
) -> tuple[
    ConditionalVae | Maker,
    Callable[[torch.Tensor, torch.Tensor, torch.Generator], torch.Tensor],
]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        if plan.kind == "gan":
            both = Adversaries(body, plan)
            return both.maker, both.step
        network = ConditionalVae(body, plan)
    steps = torch.optim.AdamW(network.parameters(), lr=plan.rate, weight_decay=plan.decay)

    def step(
        conditions: torch.Tensor, targets: torch.Tensor, dice: torch.Generator
    ) -> torch.Tensor:
        loss = network.loss(conditions, targets, dice)
        steps.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        steps.step()
        return loss.detach()

    return network, step


def _check(loss: torch.Tensor, step: int) -> None:
    if not bool(torch.isfinite(loss)):
        raise DivergedError(
            f"the loss is no number any more at step {step}; lower the rate and start again"
        )


def _tensor(samples: Samples) -> torch.Tensor:
    """Vectors scaled to unit variance of a coordinate; drawings with a channel."""
    plain = torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32))
    if plain.ndim == 2:
        scaled: torch.Tensor = plain * plain.shape[1] ** 0.5
        return scaled
    if plain.shape[1:] != (DrawingBody.PX, DrawingBody.PX):
        raise InvalidOptionError(
            f"samples must be vectors or drawings of 28 by 28, got {tuple(plain.shape[1:])}"
        )
    return plain[:, None]


def _array(made: torch.Tensor, like: Samples) -> Samples:
    if like.ndim == 2:
        made = made / made.norm(dim=1, keepdim=True).clamp(min=1e-9)
    array: Samples = (made if like.ndim == 2 else made.squeeze(1)).numpy()
    return array
