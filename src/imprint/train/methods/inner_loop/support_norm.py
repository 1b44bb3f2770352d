"""Batch norm whose statistics come from supports only, for networks that adapt in an episode."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterator


class SupportNorm(nn.Module):
    """Normalizes all images by mean and variance of the first `n_support` of them.

    The published numbers of MAML are transductive: the statistics of its queries come from the
    whole set of queries (Nichol et al. 2018, section 5). Here a query meets the statistics of
    the supports, which are the same whoever else is asked; there are no running statistics.
    """

    def __init__(self, like: nn.BatchNorm2d) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(like.num_features))
        self.bias = nn.Parameter(torch.zeros(like.num_features))
        self.eps = like.eps
        self.n_support: int | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, channels, h, w) to the same; the first `n_support` rows decide the statistics."""
        known = x[: self.n_support].float()
        mean = known.mean((0, 2, 3))
        variance = known.var((0, 2, 3), correction=0)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        return x * scale.to(x.dtype)[:, None, None] + shift.to(x.dtype)[:, None, None]


def normalize_by_supports(network: nn.Module) -> None:
    """Put a `SupportNorm` in the place of every two-dimensional batch norm, in place."""
    for name, child in network.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(network, name, SupportNorm(child))
        else:
            normalize_by_supports(child)


@contextmanager
def supports_first(network: nn.Module, n_support: int) -> Iterator[None]:
    """Within the block the first `n_support` rows of every pass are the supports."""
    norms = [module for module in network.modules() if isinstance(module, SupportNorm)]
    before = [norm.n_support for norm in norms]
    for norm in norms:
        norm.n_support = n_support
    try:
        yield
    finally:
        for norm, earlier in zip(norms, before, strict=True):
            norm.n_support = earlier
