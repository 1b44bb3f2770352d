"""Conditional variational autoencoder: another sample of the class that a support is of.

Kingma and Welling 2014, Sohn et al. 2015; conditioned on a support instead of a class number, so
that it serves classes it never saw, as the delta encoder of Schwartz et al. 2018 does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from imprint.train.generative.bodies import Body
    from imprint.train.generative.plan import GeneratorPlan


class ConditionalVae(nn.Module):
    """Target and condition to a few latent numbers; these and the condition to the target."""

    def __init__(self, body: Body, plan: GeneratorPlan) -> None:
        super().__init__()
        self.n_latent = plan.n_latent
        self.read_condition, self.read_target = body.reader(), body.reader()
        self.posterior = nn.Linear(2 * body.n_features, 2 * plan.n_latent)
        self.write = body.writer(body.n_features + plan.n_latent)
        self._body = body

    def written(self, condition: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
        """Write a sample for each condition."""
        features = torch.cat([self.read_condition(condition), latent], dim=1)
        made: torch.Tensor = self.write(condition, features)
        return made

    def loss(
        self, condition: torch.Tensor, target: torch.Tensor, dice: torch.Generator
    ) -> torch.Tensor:
        """Negative evidence lower bound, mean over the batch."""
        read = torch.cat([self.read_condition(condition), self.read_target(target)], dim=1)
        mean, log_var = self.posterior(read).chunk(2, dim=1)
        log_var = log_var.clamp(-8, 8)
        noise = torch.randn(mean.shape, generator=dice)
        made = self.written(condition, mean + (0.5 * log_var).exp() * noise)
        divergence = 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum(dim=1)
        bound: torch.Tensor = (self._body.misfit(made, target) + divergence).mean()
        return bound
