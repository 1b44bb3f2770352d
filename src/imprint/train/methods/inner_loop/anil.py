"""Almost no inner loop: only the head adapts to the supports, on features computed once.

Raghu, Raghu, Bengio and Vinyals 2020, "Rapid Learning or Feature Reuse? Towards Understanding the
Effectiveness of MAML".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from imprint.errors import InvalidOptionError
from imprint.train.methods.geometry.answers import each_in_turn
from imprint.train.methods.inner_loop.maml import check_inner
from imprint.train.methods.inner_loop.steps import (
    STARTS,
    Start,
    Weights,
    adapt,
    class_loss,
    linear,
    loss_of_queries,
    starting_head,
    targets_of,
)
from imprint.train.methods.protocol import Learner, StepLoss
from imprint.train.settings import OptimizerSettings, StepPlan

if TYPE_CHECKING:
    from imprint.train.backbones import Backbone
    from imprint.train.methods.protocol import Batch


@dataclass(frozen=True, slots=True)
class Anil:
    """Settings; the defaults are five steps in training and answers, from a learnt head.

    `start` is where the head begins (see `starting_head`); "zero" and "prototype" are departures
    that make one network answer any n_way. The inner objective sums over classes (`class_loss`),
    so one `inner_rate` serves every n_way. `in_turn` lets every image of a class take its turn
    among the supports: features are computed once anyway, so one pass gives `n_shot + n_query`
    tasks.
    """

    name: ClassVar[str] = "anil"
    paper: ClassVar[str] = (
        "Raghu, Raghu, Bengio and Vinyals 2020, Rapid Learning or Feature Reuse? Towards "
        "Understanding the Effectiveness of MAML"
    )
    adapts: ClassVar[bool] = False
    inner_rate: float = 0.02
    inner_steps: int = 5
    answer_steps: int = 5
    second_order: bool = True
    start: Start = "learned"
    step: StepPlan = field(default_factory=lambda: StepPlan(5, 1, 5, n_episodes=16))
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    in_turn: bool = False

    def __post_init__(self) -> None:
        check_inner(self.inner_rate, self.inner_steps, self.answer_steps)
        if self.start not in STARTS:
            raise InvalidOptionError(f"start is {self.start!r}; it is one of {', '.join(STARTS)}")

    def prepare(self, backbone: Backbone, n_classes: int) -> Learner:
        """The backbone, and a linear head when its start is learnt."""
        if self.start != "learned":
            return Learner(backbone)
        return Learner(backbone, nn.Linear(backbone.width, min(self.step.n_way, n_classes)))

    def loss(self, learner: Learner, batch: Batch) -> StepLoss:
        """Mean cross-entropy of the queries under heads adapted to their supports."""
        support, query = batch.split(learner(batch.images))
        if self.in_turn:
            support, query = each_in_turn(support, query)

        def one(supports: torch.Tensor, queries: torch.Tensor) -> torch.Tensor:
            return self.scores(learner, supports, queries, self.inner_steps)

        n_turns = len(support) // batch.plan.n_episodes
        targets = batch.targets().repeat(n_turns, 1, 1).flatten()
        return loss_of_queries(one, support, query, targets)

    def answer(self, learner: Learner, support: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
        """Scores (n, n_way) of features under the head after `answer_steps` steps."""
        return self.scores(learner, support, query, self.answer_steps)

    def scores(
        self, learner: Learner, support: torch.Tensor, query: torch.Tensor, n_steps: int
    ) -> torch.Tensor:
        """Adapt the head to support features (n_way, n_shot, width), score queries (n, width)."""
        n_way, n_shot = support.shape[:2]
        supports = support.flatten(0, 1)
        targets = targets_of(n_way, n_shot, support.device)

        def objective(weights: Weights) -> torch.Tensor:
            return class_loss(linear(supports, weights), targets, n_way)

        head = starting_head(self.start, learner.head, supports, n_way)
        moved = adapt(objective, head, self.inner_rate, n_steps, second_order=self.second_order)
        return linear(query, moved)
