"""Judging a learner by episodes, with running statistics of batch norm only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from imprint.train.sampling import Draw, draw_episode, fetch, stream

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    asked = [EpisodeShape(*shape)]
    return score_shapes(method, learner, pool, asked, n_episodes, seed=seed, use=use, half=half)[0]


def score_shapes(
    method: Method,
    learner: Learner,
    pool: ImagePool,
    shapes: Sequence[EpisodeShape],
    n_episodes: int,
    *,
    seed: int,
    use: int,
    half: bool = False,
) -> list[EpisodeScore]:
    """Ask episodes of several shapes; images are embedded once for all of them.

    Raises:
        TooFewSupportsError: the pool cannot fill an episode of one of the shapes.
    """
    for shape in shapes:
        use_of = f"a {shape.n_way}-way {shape.n_shot}-shot episode"
        pool.require(shape.n_way, shape.n_shot + shape.n_query, use_of)
    was_training = learner.training
    learner.eval()
    with torch.no_grad():
        features = None if method.adapts else embed_pool(learner, pool, half=half)
        scores = []
        for shape in shapes:
            rngs = (stream(seed, use, i) for i in range(n_episodes))
            right = [_accuracy(method, learner, pool, features, shape, rng) for rng in rngs]
            scores.append(_mean_of(shape, np.array(right)))
    learner.train(was_training)
    return scores


def _mean_of(shape: EpisodeShape, right: npt.NDArray[np.float64]) -> EpisodeScore:
    n = len(right)
    interval = 1.96 * float(right.std(ddof=1)) / n**0.5 if n > 1 else 0.0
    return EpisodeScore(*shape[:3], n, float(right.mean()), interval)


def _accuracy(
    method: Method,
    learner: Learner,
    pool: ImagePool,
    features: torch.Tensor | None,
    shape: EpisodeShape,
    rng: np.random.Generator,
) -> float:
    """Share of the queries of one episode that are answered right."""
    n_each = shape.n_shot + shape.n_query
    draw = draw_episode(pool, shape.n_way, n_each, rng, n_groups=shape.n_groups)
    support, query = _of_draw(learner, pool, draw, features, shape.n_shot, shape.n_way)
    chosen = method.answer(learner, support, query).argmax(1).cpu()
    truth = torch.arange(shape.n_way).repeat_interleave(shape.n_query)
    return float((chosen == truth).float().mean())


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
    grouped = held.reshape(n_way, -1, *held.shape[1:])
    return grouped[:, :n_shot], grouped[:, n_shot:].flatten(0, 1)
