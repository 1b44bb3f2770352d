"""Matching Networks (Vinyals et al. 2016) without full-context embeddings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import torch
from torch.nn import functional

from imprint.errors import InvalidOptionError
from imprint.train.methods.geometry.answers import by_attention, each_in_turn, squared_distances
from imprint.train.methods.protocol import Learner, StepLoss, accuracy
from imprint.train.settings import OptimizerSettings, StepPlan

if TYPE_CHECKING:
    from imprint.train.backbones import Backbone
    from imprint.train.methods.protocol import Batch


@dataclass(frozen=True)
class Matching:
    """Each query attends to every support; a class gets the sum of its supports' shares.

    Attention is a softmax over `distance`: cosines times `temperature`, or ("l2") minus squared
    Euclidean distances. The paper's softmax has no temperature; cosines alone cannot leave
    -1 .. 1, which flattens it, so ours is 10. Departures: no full-context embeddings (an LSTM over
    the supports that gained little on Omniglot), and 60-way steps as in Snell et al. 2017.
    `in_turn` lets every image take its turn among the supports, as in `Prototypical`.
    """

    name: ClassVar[str] = "matching"
    paper: ClassVar[str] = "Vinyals et al. 2016, Matching Networks for One Shot Learning"
    adapts: ClassVar[bool] = False
    step: StepPlan = field(default_factory=lambda: StepPlan(n_way=60, n_shot=1, n_query=5))
    optimizer: OptimizerSettings = field(default_factory=lambda: OptimizerSettings(rate=1e-3))
    distance: str = "cosine"
    temperature: float = 10.0
    in_turn: bool = False

    def __post_init__(self) -> None:
        if self.distance not in ("cosine", "l2"):
            raise InvalidOptionError(f"distance is {self.distance!r}; it is cosine or l2")
        if not self.temperature > 0:
            raise InvalidOptionError(f"temperature is {self.temperature}; it must be above 0")

    def prepare(self, backbone: Backbone, n_classes: int) -> Learner:  # noqa: ARG002
        """The backbone alone."""
        return Learner(backbone)

    def loss(self, learner: Learner, batch: Batch) -> StepLoss:
        """Minus the log of the share that the right class gets, over queries."""
        support, query = batch.split(learner(batch.images))
        if self.in_turn:
            support, query = each_in_turn(support, query)
        shares = self._log_shares(support, query.flatten(1, 2)).flatten(0, 1)
        n_turns = len(support) // batch.plan.n_episodes
        targets = batch.targets().repeat(n_turns, 1, 1).flatten()
        loss = functional.nll_loss(shares, targets)
        return StepLoss(loss, {"train_accuracy": accuracy(shares, targets)})

    def answer(
        self,
        learner: Learner,  # noqa: ARG002
        support: torch.Tensor,
        query: torch.Tensor,
    ) -> torch.Tensor:
        """Log of each class's share of the attention."""
        return self._log_shares(support, query)

    def _log_shares(self, support: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
        supports = support.flatten(-3, -2)
        if self.distance == "l2":
            similarities = -squared_distances(query, supports)
        else:
            directions = functional.normalize(supports, dim=-1).transpose(-1, -2)
            similarities = self.temperature * (functional.normalize(query, dim=-1) @ directions)
        return by_attention(similarities, support.shape[-3])
