"""Model-agnostic meta-learning: all weights adapt to the supports by gradient steps.

Finn, Abbeel and Levine 2017, "Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional

from imprint.errors import InvalidOptionError
from imprint.train.methods.inner_loop.steps import (
    Start,
    Weights,
    adapt,
    linear,
    loss_of_queries,
    starting_head,
    targets_of,
)
from imprint.train.methods.inner_loop.support_norm import normalize_by_supports, supports_first
from imprint.train.methods.protocol import Learner, StepLoss
from imprint.train.settings import OptimizerSettings, StepPlan

if TYPE_CHECKING:
    from imprint.train.backbones import Backbone
    from imprint.train.methods.protocol import Batch


@dataclass(frozen=True, slots=True)
class Maml:
    """Settings with the paper's values for Omniglot, 5-way: one step of 0.4, three in answers.

    For 20-way the paper takes five steps of 0.1. Departures: batch norm knows supports only (the
    paper's is transductive); pooling instead of strides; `start="zero"` begins with a head that
    prefers no class, so one network answers any n_way. `rate` is meant for the mean over all
    supports, as in the paper.
    """

    name: ClassVar[str] = "maml"
    paper: ClassVar[str] = (
        "Finn, Abbeel and Levine 2017, Model-Agnostic Meta-Learning for Fast Adaptation of Deep "
        "Networks"
    )
    adapts: ClassVar[bool] = True
    inner_rate: float = 0.4
    inner_steps: int = 1
    answer_steps: int = 3
    second_order: bool = True
    start: Start = "learned"
    step: StepPlan = field(default_factory=lambda: StepPlan(5, 1, 5, n_episodes=32))
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)

    def __post_init__(self) -> None:
        check_inner(self.inner_rate, self.inner_steps, self.answer_steps)
        if self.start not in ("learned", "zero"):
            raise InvalidOptionError(f"start is {self.start!r}; maml starts learned or zero")

    def prepare(self, backbone: Backbone, n_classes: int) -> Learner:
        """The backbone with support-only batch norm, and a linear head when its start is learnt."""
        normalize_by_supports(backbone)
        if self.start == "zero":
            return Learner(backbone)
        n_way = min(self.step.n_way, n_classes)
        return Learner(backbone, nn.Linear(backbone.width, n_way))

    def loss(self, learner: Learner, batch: Batch) -> StepLoss:
        """Mean cross-entropy of the queries after adaptation to their supports, task by task."""
        support, query = batch.split(batch.images)
        n_steps = self.inner_steps

        def one(supports: torch.Tensor, queries: torch.Tensor) -> torch.Tensor:
            return self.scores(learner, supports, queries, n_steps)

        return loss_of_queries(one, support, query, batch.targets().flatten())

    def answer(self, learner: Learner, support: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
        """Scores (n, n_way) after `answer_steps` steps on the supports; the learner stays."""
        return self.scores(learner, support, query, self.answer_steps)

    def scores(
        self, learner: Learner, support: torch.Tensor, query: torch.Tensor, n_steps: int
    ) -> torch.Tensor:
        """Adapt to supports (n_way, n_shot, ...) and score queries (n, ...) of one episode."""
        n_way, n_shot = support.shape[:2]
        supports = support.flatten(0, 1)
        targets = targets_of(n_way, n_shot, support.device)

        def objective(weights: Weights) -> torch.Tensor:
            with supports_first(learner, len(supports)):
                features = functional_call(learner, backbone_of(weights), (supports,))
            return functional.cross_entropy(linear(features, weights), targets)

        still = supports.new_zeros(len(supports), learner.backbone.width)
        weights: Weights = {
            n: w for n, w in learner.named_parameters() if not n.startswith("head.")
        }
        weights |= starting_head(self.start, learner.head, still, n_way)
        moved = adapt(objective, weights, self.inner_rate, n_steps, second_order=self.second_order)
        with supports_first(learner, len(supports)):
            both = torch.cat([supports, query])
            features = functional_call(learner, backbone_of(moved), (both,))
        return linear(features[len(supports) :], moved)


def backbone_of(weights: Weights) -> Weights:
    """The weights without those of the head, whose size an episode may change."""
    return {name: weight for name, weight in weights.items() if not name.startswith("head.")}


def check_inner(rate: float, n_steps: int, n_answer_steps: int) -> None:
    """Refuse an inner loop that cannot learn.

    Raises:
        InvalidOptionError: a rate that is not positive, or negative numbers of steps.
    """
    if not rate > 0:
        raise InvalidOptionError(f"inner_rate is {rate}; it must be greater than 0")
    if min(n_steps, n_answer_steps) < 0:
        raise InvalidOptionError("inner_steps and answer_steps must be 0 or more")
