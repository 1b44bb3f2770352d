"""Prototypical Networks (Snell, Swersky and Zemel 2017)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import torch
from torch.nn import functional

from imprint.train.methods.geometry.answers import by_prototype, each_in_turn
from imprint.train.methods.protocol import Learner, StepLoss, accuracy
from imprint.train.settings import OptimizerSettings, StepPlan

if TYPE_CHECKING:
    from imprint.train.backbones import Backbone
    from imprint.train.methods.protocol import Batch


@dataclass(frozen=True)
class Prototypical:
    """Softmax over minus squared Euclidean distances to class means.

    Defaults are the paper's for Omniglot 1-shot: 60-way steps with 5 queries, Adam at 1e-3. The
    paper halves the rate every 2,000 episodes (`optimizer.schedule=halving`); half a cosine is
    our default because it fits a run of any length.

    `in_turn` is a departure: every image of a class takes its turn among the supports, so one
    pass through the network gives `n_shot + n_query` episodes instead of one. The mean of their
    losses is the paper's loss with less noise, at no cost worth measuring.
    """

    name: ClassVar[str] = "prototypical"
    paper: ClassVar[str] = "Snell et al. 2017, Prototypical Networks for Few-shot Learning"
    adapts: ClassVar[bool] = False
    step: StepPlan = field(default_factory=lambda: StepPlan(n_way=60, n_shot=1, n_query=5))
    optimizer: OptimizerSettings = field(default_factory=lambda: OptimizerSettings(rate=1e-3))
    in_turn: bool = False

    def prepare(self, backbone: Backbone, n_classes: int) -> Learner:  # noqa: ARG002
        """The backbone alone."""
        return Learner(backbone)

    def loss(self, learner: Learner, batch: Batch) -> StepLoss:
        """Cross-entropy of the queries of all episodes of the step."""
        support, query = batch.split(learner(batch.images))
        if self.in_turn:
            support, query = each_in_turn(support, query)
        scores = by_prototype(support, query.flatten(1, 2)).flatten(0, 1)
        n_turns = len(support) // batch.plan.n_episodes
        targets = batch.targets().repeat(n_turns, 1, 1).flatten()
        loss = functional.cross_entropy(scores, targets)
        return StepLoss(loss, {"train_accuracy": accuracy(scores, targets)})

    def answer(
        self,
        learner: Learner,  # noqa: ARG002
        support: torch.Tensor,
        query: torch.Tensor,
    ) -> torch.Tensor:
        """Minus the squared distance to each prototype."""
        return by_prototype(support, query)
