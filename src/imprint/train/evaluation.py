"""Judging a learner by episodes, with running statistics of batch norm only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from imprint.train.sampling import Draw, draw_episode, fetch, stream

if TYPE_CHECKING:
    from imprint.train.methods.protocol import Learner, Method
    from imprint.train.sources.pool import ImagePool

EMBED_BATCH = 512


class EpisodeShape(NamedTuple):
    """What an episode asks. With `n_groups` its classes come from so many groups (alphabets)."""

    n_way: int = 5
    n_shot: int = 1
    n_query: int = 15
    n_groups: int = 0


@dataclass(frozen=True)
class EpisodeScore:
    """Mean accuracy over episodes, 0 to 1, with the half width of its 95 % interval."""

    n_way: int
    n_shot: int
    n_query: int
    n_episodes: int
    accuracy: float
    interval: float

    def __str__(self) -> str:
        return (
            f"{self.n_way}-way {self.n_shot}-shot: {100 * self.accuracy:.2f} "
            f"± {100 * self.interval:.2f} % over {self.n_episodes:,} episodes"
        )


@torch.no_grad()
def embed_pool(
    learner: Learner, pool: ImagePool, *, half: bool = False, batch: int = EMBED_BATCH
) -> torch.Tensor:
    """Features of every image in every quarter turn: (n_images * n_turns, width).

    Row `n_turns * i + t` is image i turned t times. The learner must be in `eval()` mode, so an
    image's features depend on that image alone.
    """
    device = next(learner.parameters()).device
    n = len(pool.images) * pool.n_turns
    parts = []
    for start in range(0, n, batch):
        numbers = torch.arange(start, min(n, start + batch))
        rows, turns = numbers // pool.n_turns, numbers % pool.n_turns
        images = fetch(pool.images, Draw(rows, turns, rows)).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            parts.append(learner(images).float())
    return torch.cat(parts)


def score_episodes(
    method: Method,
    learner: Learner,
    pool: ImagePool,
    shape: EpisodeShape | tuple[int, int, int],
    n_episodes: int,
    *,
    seed: int,
    use: int,
    half: bool = False,
) -> EpisodeScore:
    """Ask `n_episodes` episodes of the shape and average their accuracies.

    Raises:
        TooFewSupportsError: the pool cannot fill an episode.
    """
    n_way, n_shot, n_query, n_groups = EpisodeShape(*shape)
    pool.require(n_way, n_shot + n_query, f"a {n_way}-way {n_shot}-shot episode")
    was_training = learner.training
    learner.eval()
    features = None if method.adapts else embed_pool(learner, pool, half=half)
    truth = torch.arange(n_way).repeat_interleave(n_query)
    accuracies = np.empty(n_episodes)
    with torch.no_grad():
        for i in range(n_episodes):
            rng = stream(seed, use, i)
            draw = draw_episode(pool, n_way, n_shot + n_query, rng, n_groups=n_groups)
            support, query = _of_draw(learner, pool, draw, features, n_shot, n_way)
            scores = method.answer(learner, support, query)
            accuracies[i] = float((scores.argmax(1).cpu() == truth).float().mean())
    learner.train(was_training)
    interval = 1.96 * float(accuracies.std(ddof=1)) / n_episodes**0.5 if n_episodes > 1 else 0.0
    return EpisodeScore(n_way, n_shot, n_query, n_episodes, float(accuracies.mean()), interval)


def _of_draw(
    learner: Learner,
    pool: ImagePool,
    draw: Draw,
    features: torch.Tensor | None,
    n_shot: int,
    n_way: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    if features is None:
        held = fetch(pool.images, draw).to(next(learner.parameters()).device)
    else:
        held = features[(draw.rows * pool.n_turns + draw.turns).to(features.device)]
    grouped = held.unflatten(0, (n_way, -1))
    return grouped[:, :n_shot], grouped[:, n_shot:].flatten(0, 1)
