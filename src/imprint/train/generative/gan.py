"""A small conditional adversarial pair: one makes samples of a support's class, one tells them.

Goodfellow et al. 2014 with the hinge loss (Lim and Ye 2017); the judge sees (support, sample) pairs
as in Antoniou et al. 2017, so copying the support is not enough where real pairs differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from imprint.train.generative.bodies import Body
    from imprint.train.generative.plan import GeneratorPlan

# How much a made sample may also be told by its distance from the real one: steadies the start.
_MISFIT_WEIGHT = 0.02


class Maker(nn.Module):
    """Makes a sample from a condition and latent numbers."""

    def __init__(self, body: Body, plan: GeneratorPlan) -> None:
        super().__init__()
        self.n_latent = plan.n_latent
        self.read_condition = body.reader()
        self.write = body.writer(body.n_features + plan.n_latent)

    def written(self, condition: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
        """Write a sample for each condition."""
        features = torch.cat([self.read_condition(condition), latent], dim=1)
        made: torch.Tensor = self.write(condition, features)
        return made


class Judge(nn.Module):
    """Scores pairs: above zero for two real samples of one class."""

    def __init__(self, body: Body) -> None:
        super().__init__()
        self.read_condition, self.read_sample = body.reader(), body.reader()
        self.score = nn.Linear(3 * body.n_features, 1)

    def forward(self, condition: torch.Tensor, sample: torch.Tensor) -> torch.Tensor:
        """One score for each pair."""
        first, second = self.read_condition(condition), self.read_sample(sample)
        scores: torch.Tensor = self.score(torch.cat([first, second, first * second], dim=1))
        return scores.squeeze(1)


class Adversaries:
    """Both networks with their optimizers; one step moves the judge, then the maker."""

    def __init__(self, body: Body, plan: GeneratorPlan) -> None:
        self.maker, self._judge, self._body = Maker(body, plan), Judge(body), body
        self._maker_steps = _steps(self.maker, plan)
        self._judge_steps = _steps(self._judge, plan)

    def step(
        self, condition: torch.Tensor, target: torch.Tensor, dice: torch.Generator
    ) -> torch.Tensor:
        """Learn from one batch of pairs; returns the maker's loss."""
        latent = torch.randn(len(condition), self.maker.n_latent, generator=dice)
        made = self.maker.written(condition, latent)
        real, fake = self._judge(condition, target), self._judge(condition, made.detach())
        hinge = functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()
        _moved(self._judge_steps, hinge)
        loss = -self._judge(condition, made).mean()
        loss = loss + _MISFIT_WEIGHT * self._body.misfit(made, target).mean()
        _moved(self._maker_steps, loss)
        moved: torch.Tensor = loss.detach()
        return moved


def _steps(network: nn.Module, plan: GeneratorPlan) -> torch.optim.AdamW:
    return torch.optim.AdamW(
        network.parameters(), lr=plan.rate, betas=(0.5, 0.99), weight_decay=plan.decay
    )


def _moved(steps: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    steps.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    steps.step()
