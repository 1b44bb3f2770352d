"""How a learner that compares features answers an episode: by prototypes or by single supports."""

from __future__ import annotations

import torch
from torch.nn import functional


def squared_distances(query: torch.Tensor, to: torch.Tensor) -> torch.Tensor:
    """Squared Euclidean distances (..., n, m) of rows (..., n, width) to rows (..., m, width)."""
    products = query @ to.transpose(-1, -2)
    lengths = query.square().sum(-1, keepdim=True) + to.square().sum(-1).unsqueeze(-2)
    return lengths - 2.0 * products


def by_prototype(support: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
    """Minus the squared distance to each class's mean: (..., n, n_way).

    Support is (..., n_way, n_shot, width), query (..., n, width).
    """
    return -squared_distances(query, support.mean(-2))


def by_direction(support: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
    """Cosine to the mean direction of each class: (n, n_way)."""
    means = functional.normalize(support, dim=-1).mean(-2)
    return functional.normalize(query, dim=-1) @ functional.normalize(means, dim=-1).T


def by_attention(similarities: torch.Tensor, n_way: int) -> torch.Tensor:
    """Log of the softmax share that each class's supports get.

    `similarities` is (..., n, n_way * n_shot), supports class by class; returns (..., n, n_way).
    """
    shares = similarities.log_softmax(-1)
    return shares.reshape(*shares.shape[:-1], n_way, -1).logsumexp(-1)


def each_in_turn(support: torch.Tensor, query: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The same images as n_shot + n_query episodes, the supports one place on each time."""
    every, n_shot = torch.cat([support, query], 2), support.shape[2]
    rolled = torch.cat([every.roll(-turn, 2) for turn in range(every.shape[2])])
    return rolled[:, :, :n_shot], rolled[:, :, n_shot:]
