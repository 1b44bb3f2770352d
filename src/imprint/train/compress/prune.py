"""Structured pruning: whole channels go, and the network is smaller for every runtime.

Li et al. 2017 (Pruning Filters for Efficient ConvNets) drop the filters with the smallest L1 norm;
here that norm is multiplied by the scale of the batch norm after it (Liu et al. 2017, Network
Slimming), which decides as much about what a channel contributes. Layers that are added up lose
the same channels. The last width, that of the vectors, stays. What was lost is won back by
matching the whole network's vectors (`match`).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn

from imprint.errors import InvalidOptionError
from imprint.train.backbones import ConvBlock, ResidualBlock
from imprint.train.compress.network import NORM_PARTS, renormed, resized

if TYPE_CHECKING:
    from imprint.train.backbones import Backbone

_STEPS = 64  # widths are tried in 64ths
_LEAST_CHANNELS = 4
_EIGHT = 8


@dataclass(frozen=True)
class Group:
    """Channels that go together: layers that make them, with their norms, and that read them."""

    makers: tuple[tuple[nn.Conv2d, nn.BatchNorm2d], ...]
    readers: tuple[nn.Conv2d, ...]

    def worth(self) -> torch.Tensor:
        """How much each channel contributes: L1 norm of its filter times the norm's scale."""
        with torch.no_grad():
            parts = [
                maker.weight.abs().sum((1, 2, 3)) * norm.weight.abs() for maker, norm in self.makers
            ]
            # Each maker on its own scale, or the larger filters alone would decide.
            return torch.stack([one / one.mean().clamp(min=1e-12) for one in parts]).sum(0)


def pruned(backbone: Backbone, size: float) -> Backbone:
    """A copy with at most `size` (0 to 1) of the parameters; every layer loses the same share.

    Raises:
        InvalidOptionError: the size is not in 0 .. 1 or less than the network can be cut to.
    """
    if not 0 < size < 1:
        raise InvalidOptionError(f"size is {size}; it must be between 0 and 1, such as 0.5")
    most = size * _n_parameters(backbone)
    for step in range(_STEPS - 1, 0, -1):
        smaller = _cut(backbone, step / _STEPS)
        if _n_parameters(smaller) <= most:
            return smaller.eval()
    raise InvalidOptionError(
        f"size is {size}; the layer that makes the vectors is not cut and alone holds more than "
        "that. Ask for a larger size, or distill into a smaller network"
    )


def groups_of(backbone: Backbone) -> list[Group]:
    """Every group of channels that can be cut, from the first layer to the last but one."""
    blocks = list(backbone.layers.children())
    plain = [one for one in blocks if isinstance(one, ConvBlock)]
    if plain:
        return [
            Group(((first.convolution, first.norm),), (second.convolution,))
            for first, second in pairwise(plain)
        ]
    residual = [one for one in blocks if isinstance(one, ResidualBlock)]
    stem = list(blocks[0].children())
    if (
        not residual
        or not isinstance(stem[0], nn.Conv2d)
        or not isinstance(stem[1], nn.BatchNorm2d)
    ):
        raise InvalidOptionError("networks of this kind cannot be pruned; conv4 and resnet can")
    groups = [Group(((stem[0], stem[1]),), _readers(residual[0]))]
    for at, block in enumerate(residual):
        groups.append(Group(((block.first, block.first_norm),), (block.second,)))
        if at + 1 < len(residual):
            makers = ((block.second, block.second_norm), (block.shortcut, block.shortcut_norm))
            groups.append(Group(makers, _readers(residual[at + 1])))
    return groups


def _readers(block: ResidualBlock) -> tuple[nn.Conv2d, ...]:
    return block.first, block.shortcut


def _cut(backbone: Backbone, share: float) -> Backbone:
    smaller = copy.deepcopy(backbone)
    for group in groups_of(smaller):
        worth = group.worth()
        kept = worth.topk(_n_kept(share, len(worth))).indices.sort().values
        for maker, norm in group.makers:
            bias = None if maker.bias is None else maker.bias[kept]
            resized(maker, maker.weight[kept], bias)
            renormed(norm, {part: getattr(norm, part)[kept] for part in NORM_PARTS})
        for reader in group.readers:
            resized(reader, reader.weight[:, kept], reader.bias)
    return smaller


def _n_kept(share: float, n_channels: int) -> int:
    """Whole eights where there are several: runtimes compute channels by eights, half-empty or not.

    Without that, half the parameters took as long as all of them (docs/measurements/compress.md).
    """
    n_kept = round(share * n_channels)
    if n_channels >= 2 * _EIGHT:
        return max(_EIGHT, n_kept // _EIGHT * _EIGHT)
    return max(min(_LEAST_CHANNELS, n_channels), n_kept)


def _n_parameters(network: nn.Module) -> int:
    return sum(one.numel() for one in network.parameters())
