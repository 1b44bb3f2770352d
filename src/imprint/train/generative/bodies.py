"""What differs between kinds of samples: how they are read, written and compared.

A body reads samples into features and writes samples from features. Vectors change from their
condition by what is learned; drawings are written anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from imprint.train.generative.plan import GeneratorPlan


class Body(Protocol):
    """Reads and writes one kind of sample."""

    n_features: int

    def reader(self) -> nn.Module:
        """A network from samples to (n, n_features)."""
        ...

    def writer(self, n_in: int) -> nn.Module:
        """A network from (condition samples, (n, n_in) features) to samples."""
        ...

    def misfit(self, made: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """How far made samples are from real ones: negative log likelihood, one per sample."""
        ...


class VectorBody:
    """Vectors of an encoder, scaled so that a coordinate has about unit variance."""

    def __init__(self, dim: int, plan: GeneratorPlan) -> None:
        self.n_features, self._dim, self._noise = plan.n_hidden, dim, plan.noise

    def reader(self) -> nn.Module:
        """One hidden layer."""
        return nn.Sequential(nn.Linear(self._dim, self.n_features), nn.GELU())

    def writer(self, n_in: int) -> nn.Module:
        """A change of the condition: starts as none at all."""
        return VectorWriter(self._dim, n_in, self.n_features)

    def misfit(self, made: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """Squared distance over twice the variance allowed."""
        return (made - real).square().sum(dim=1) / (2 * self._noise**2)


class VectorWriter(nn.Module):
    """The condition plus a learned change: a linear part and one that also sees the features."""

    def __init__(self, dim: int, n_in: int, n_hidden: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)
        last_of_change = nn.Linear(n_hidden, dim)
        self.change = nn.Sequential(nn.Linear(n_in, n_hidden), nn.GELU(), last_of_change)
        for last in (self.linear, last_of_change):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, condition: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Write samples."""
        made: torch.Tensor = condition + self.linear(condition) + self.change(features)
        return made


class DrawingBody:
    """Small drawings (n, 1, 28, 28) of ink 0 .. 1."""

    PX = 28

    def __init__(self, plan: GeneratorPlan) -> None:
        self.n_features = plan.n_hidden

    def reader(self) -> nn.Module:
        """Three strided convolutions."""
        return nn.Sequential(
            nn.Conv2d(1, 32, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(32, 64, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(64, 64, 3, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(64 * 16, self.n_features),
            nn.LeakyReLU(0.2),
        )

    def writer(self, n_in: int) -> nn.Module:
        """Transposed convolutions from features, which hold what was read of the condition."""
        return DrawingWriter(n_in)

    def misfit(self, made: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """Cross-entropy of ink, summed over pixels."""
        each = functional.binary_cross_entropy(made, real, reduction="none")
        return each.flatten(1).sum(dim=1)


class DrawingWriter(nn.Module):
    """Features to a drawing; the condition is only seen through them."""

    def __init__(self, n_in: int) -> None:
        super().__init__()
        self.grow = nn.Sequential(
            nn.Linear(n_in, 64 * 49),
            nn.ReLU(),
            nn.Unflatten(1, (64, 7, 7)),
            nn.ConvTranspose2d(64, 32, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(16, 1, 3, 1, 1),
        )

    def forward(self, condition: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Write samples."""
        del condition
        made: torch.Tensor = torch.sigmoid(self.grow(features)).clamp(1e-5, 1 - 1e-5)
        return made
