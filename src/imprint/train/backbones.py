"""Small convolutional networks to train: images in 0 .. 1 to features of one width.

Batch norm follows one rule: batch statistics while training, running statistics otherwise. No
answer to a query ever depends on another query.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from imprint.errors import InvalidOptionError

if TYPE_CHECKING:
    from collections.abc import Callable


class Backbone(nn.Module):
    """Layers that end in one vector per image; `width` is the length of that vector."""

    def __init__(self, layers: nn.Module, width: int, *, n_channels: int, image_px: int) -> None:
        super().__init__()
        self.layers = layers
        self.width = width
        self.n_channels, self.image_px = n_channels, image_px

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(n, n_channels, px, px) to (n, width)."""
        features: torch.Tensor = self.layers(images)
        return features


class ConvBlock(nn.Module):
    """3x3 convolution, batch norm, ReLU, 2x2 max pooling (Vinyals et al. 2016, Snell et al. 2017).

    ReLU comes after pooling: both keep order, so the result is the same on a quarter of the work.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(n_in, n_out, 3, padding=1)
        self.norm = nn.BatchNorm2d(n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, n_in, h, w) to (n, n_out, h // 2, w // 2)."""
        return functional.relu(functional.max_pool2d(self.norm(self.convolution(x)), 2))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around an averaging shortcut (He et al. 2016), halving the sides."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(n_in, n_out, 3, stride=2, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(n_out)
        self.second = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(n_out)
        self.shortcut = nn.Conv2d(n_in, n_out, 1, bias=False)
        self.shortcut_norm = nn.BatchNorm2d(n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, n_in, h, w) to (n, n_out, h / 2, w / 2), rounded up."""
        inner = functional.relu(self.first_norm(self.first(x)))
        aside = functional.avg_pool2d(x, 2, ceil_mode=True)
        aside = self.shortcut_norm(self.shortcut(aside))
        return functional.relu(self.second_norm(self.second(inner)) + aside)


def conv4(n_channels: int = 1, image_px: int = 28, width: int = 64) -> Backbone:
    """Four blocks of 64 channels; 28 px give 64 features, 84 px 1,600."""
    blocks = [ConvBlock(n_channels if i == 0 else width, width) for i in range(4)]
    side = image_px // 16
    if side < 1:
        raise InvalidOptionError(f"conv4 halves an image four times; {image_px} px are too few")
    layers = nn.Sequential(*blocks, nn.Flatten())
    return _initialized(Backbone(layers, width * side**2, n_channels=n_channels, image_px=image_px))


def small_resnet(n_channels: int = 1, image_px: int = 48, width: int = 32) -> Backbone:
    """A stem and three residual blocks of 64, 128 and 256 channels, averaged: 256 features."""
    stem = nn.Sequential(
        nn.Conv2d(n_channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
    )
    blocks = [ResidualBlock(width * 2**i, width * 2 ** (i + 1)) for i in range(3)]
    layers = nn.Sequential(stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return _initialized(Backbone(layers, width * 8, n_channels=n_channels, image_px=image_px))


BACKBONES: dict[str, Callable[..., Backbone]] = {"conv4": conv4, "resnet": small_resnet}


def make_backbone(name: str, n_channels: int, image_px: int) -> Backbone:
    """A fresh backbone by name; weights come from torch's generator of this process.

    Raises:
        InvalidOptionError: there is no such backbone.
    """
    if name not in BACKBONES:
        raise InvalidOptionError(f"backbone is {name!r}; it is one of {', '.join(BACKBONES)}")
    return BACKBONES[name](n_channels=n_channels, image_px=image_px)


def _initialized(backbone: Backbone) -> Backbone:
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return backbone
