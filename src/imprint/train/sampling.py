"""Drawing steps and episodes from a pool. Draw i of a seed is the same whatever came before.

Every step has random numbers of its own, made of the run's seed and the step's number. That is
why a run resumed from a checkpoint goes on exactly as if it had not been stopped.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from imprint.train.augment.affine import VIEWS
from imprint.train.methods.protocol import Batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from imprint.train.settings import StepPlan
    from imprint.train.sources.pool import ImagePool

Numbers = npt.NDArray[np.intp]
STEPS, VALIDATION, TEST, LOSS = 1, 2, 3, 4  # one stream of random numbers for each use


def stream(seed: int, use: int, number: int = 0) -> np.random.Generator:
    """The random numbers of draw `number` of one use."""
    return np.random.default_rng([seed, use, number])


@dataclass(frozen=True)
class Draw:
    """Rows of a pool with the quarter turn and class of each, (n_way * n_each,) all three."""

    rows: torch.Tensor
    turns: torch.Tensor
    labels: torch.Tensor


def draw_episode(
    pool: ImagePool, n_way: int, n_each: int, rng: np.random.Generator, *, n_groups: int = 0
) -> Draw:
    """`n_way` different classes and `n_each` different images of each, class by class.

    With `n_groups` the classes come from so many groups, each in one quarter turn, and from
    further ones only where those hold too few classes.
    """
    held = _classes_of_groups(pool, n_way, n_groups, rng) if n_groups else pool.n_classes
    classes = rng.choice(held, n_way, replace=False)
    names, turns = np.divmod(classes, pool.n_turns)
    keys = rng.random((n_way, pool.rows.shape[1]))
    keys[np.arange(keys.shape[1]) >= pool.sizes.numpy()[names][:, None]] = 2.0  # beyond the class
    chosen = np.argpartition(keys, n_each - 1, axis=1)[:, :n_each]
    chosen = np.take_along_axis(chosen, np.take_along_axis(keys, chosen, 1).argsort(1), 1)
    rows = pool.rows.numpy()[names[:, None], chosen].ravel()
    return Draw(
        torch.from_numpy(rows),
        torch.from_numpy(np.repeat(turns, n_each)),
        torch.from_numpy(np.repeat(classes, n_each)),
    )


def _classes_of_groups(
    pool: ImagePool, n_way: int, n_groups: int, rng: np.random.Generator
) -> Numbers:
    groups = pool.groups
    held: list[int] = []
    for number, at in enumerate(rng.permutation(len(groups) * pool.n_turns)):
        if number >= n_groups and len(held) >= n_way:
            break
        name, turn = divmod(int(at), pool.n_turns)
        held += [member * pool.n_turns + turn for member in groups[name]]
    return np.array(held, dtype=np.intp)


def fetch(images: torch.Tensor, draw: Draw) -> torch.Tensor:
    """The images of a draw as (n, channels, px, px) in 0 .. 1, quarter-turned, channels last."""
    rows, turns = draw.rows.to(images.device), draw.turns.to(images.device)
    taken = images[rows]
    if bool((draw.turns != 0).any()):
        stacked = torch.stack([taken, *(taken.rot90(t, (2, 3)) for t in (1, 2, 3))])
        taken = stacked[turns, torch.arange(len(taken), device=images.device)]
    return taken.float().div_(255.0).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class StepSampler:
    """Makes the batch of any step: `sampler(step)` depends on the seed and the step alone."""

    pool: ImagePool
    images: torch.Tensor  # the pool's, on the device that trains
    plan: StepPlan
    seed: int
    augment: str = "none"

    @classmethod
    def of(
        cls, pool: ImagePool, plan: StepPlan, seed: int, augment: str, device: torch.device
    ) -> StepSampler:
        """Lower `n_way` to the classes there are and check that every class is large enough.

        Raises:
            TooFewSupportsError: fewer than two classes, or a class that is too small.
        """
        pool.require(2, plan.n_each, "a training step")
        plan = dataclasses.replace(plan, n_way=min(plan.n_way, pool.n_classes))
        return cls(pool, pool.images.to(device), plan, seed, augment)

    def __call__(self, step: int) -> Batch:
        """The batch of one step."""
        rng = stream(self.seed, STEPS, step)
        draws = [
            draw_episode(
                self.pool, self.plan.n_way, self.plan.n_each, rng, n_groups=self.plan.n_groups
            )
            for _ in range(self.plan.n_episodes)
        ]
        draw = Draw(
            torch.cat([d.rows for d in draws]),
            torch.cat([d.turns for d in draws]),
            torch.cat([d.labels for d in draws]),
        )
        images = fetch(self.images, draw)
        changing: Callable[..., torch.Tensor] | None = VIEWS[self.augment]
        if changing is not None:
            images = changing(images, rng)
        return Batch(images, draw.labels.to(images.device), self.plan)
