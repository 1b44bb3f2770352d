"""Teach a small network another's vectors: no labels, only images and where they should lie.

Two losses, added. The first makes the small network's own vectors lie to each other as the
teacher's do: for each image of a batch, the softmax over its cosines to the others (Park et al.
2019 compare distances; a softmax minds near neighbors most, and those decide episodes). The second
predicts the teacher's vector through a learned matrix that is thrown away afterwards (Romero et
al. 2015), so widths may differ.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import nn
from torch.nn import functional

from imprint.errors import DivergedError, InvalidOptionError
from imprint.train.sampling import Draw, fetch, stream

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from imprint.train.backbones import Backbone
    from imprint.train.sources.pool import ImagePool

    OnStep = Callable[[int, int], None]
_MATCHING = 11  # the stream of random numbers that batches come from
_WARMUP = 0.05


@dataclass(frozen=True, slots=True)
class MatchPlan:
    """How long and how fast: `n_steps` batches, or `minutes` where those are over first."""

    n_steps: int = 1500
    minutes: float | None = None
    n_batch: int = 128
    rate: float = 2e-3
    temperature: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_steps < 1 or self.n_batch < 4:
            raise InvalidOptionError("matching needs at least 1 step of at least 4 images")
        if self.rate <= 0 or self.temperature <= 0 or (self.minutes or 1) <= 0:
            raise InvalidOptionError("rate, temperature and minutes must be greater than 0")


class Lessons(Protocol):
    """Where batches come from: images (n, channels, px, px) in 0 .. 1, and the teacher's rows."""

    @property
    def width(self) -> int:
        """Length of the teacher's rows."""

    def batch(self, n: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """One batch, and one row of the teacher for each image."""


class LivePool:
    """Images of a pool in any of its quarter turns; a torch network is the teacher."""

    def __init__(self, pool: ImagePool, teacher: Backbone) -> None:
        self._pool, self._teacher = pool, teacher.eval()
        self.width = teacher.width

    @torch.no_grad()
    def batch(self, n: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw images and ask the teacher."""
        rows = torch.from_numpy(rng.integers(0, len(self._pool.images), n))
        turns = torch.from_numpy(rng.integers(0, self._pool.n_turns, n))
        images = fetch(self._pool.images, Draw(rows, turns, rows))
        return images, self._teacher(images)


class HeldRows:
    """Images (n, channels, px, px) uint8 with the rows a teacher gave for them beforehand."""

    def __init__(self, images: torch.Tensor, rows: torch.Tensor) -> None:
        self._images, self._rows = images, rows
        self.width = rows.shape[1]

    def batch(self, n: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw images with their rows."""
        n_there = len(self._images)
        chosen = torch.from_numpy(rng.choice(n_there, min(n, n_there), replace=False))
        return fetch(self._images, Draw(chosen, torch.zeros_like(chosen), chosen)), self._rows[
            chosen
        ]


def match(
    student: Backbone, lessons: Lessons, plan: MatchPlan, on_step: OnStep = lambda *_: None
) -> int:
    """Train the student in place until the plan is over; returns the number of steps.

    Raises:
        DivergedError: the loss became NaN or infinite.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        to_teacher = nn.Linear(student.width, lessons.width)
    parameters = [*student.parameters(), *to_teacher.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=plan.rate)
    began, step, share = time.monotonic(), 0, 0.0
    student.train()
    while share < 1.0:
        for group in optimizer.param_groups:
            group["lr"] = plan.rate * _pace(share)
        images, wanted = lessons.batch(plan.n_batch, stream(plan.seed, _MATCHING, step))
        rows = student(images)
        loss = matching_loss(rows, to_teacher(rows), wanted, plan.temperature)
        if not torch.isfinite(loss):
            raise DivergedError(
                f"the loss was {float(loss.detach())} at step {step:,}; lower --rate"
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        step += 1
        share = step / plan.n_steps
        if plan.minutes is not None:
            share = max(share, (time.monotonic() - began) / (60 * plan.minutes))
        on_step(round(1000 * min(1.0, share)), 1000)
    student.eval()
    return step


def matching_loss(
    rows: torch.Tensor, predicted: torch.Tensor, wanted: torch.Tensor, temperature: float
) -> torch.Tensor:
    """How far the student's neighborhoods are from the teacher's, plus how far its predictions."""
    told = functional.log_softmax(_neighbors(wanted) / temperature, dim=1)
    mine = functional.log_softmax(_neighbors(rows) / temperature, dim=1)
    neighborhoods = functional.kl_div(mine, told, reduction="batchmean", log_target=True)
    prediction = 1.0 - functional.cosine_similarity(predicted, wanted).mean()
    return neighborhoods + prediction


def _neighbors(rows: torch.Tensor) -> torch.Tensor:
    """Cosines of every row to every other, (n, n - 1): itself is left out."""
    directions = functional.normalize(rows, dim=1)
    n = len(rows)
    others = ~torch.eye(n, dtype=torch.bool, device=rows.device)
    return (directions @ directions.T)[others].reshape(n, n - 1)


def _pace(share: float) -> float:
    if share < _WARMUP:
        return 0.1 + 0.9 * share / _WARMUP
    return 0.5 * (1.0 + math.cos(math.pi * (share - _WARMUP) / (1.0 - _WARMUP)))
