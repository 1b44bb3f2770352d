"""Siamese networks with the contrastive loss (Hadsell, Chopra and LeCun 2006; Koch et al. 2015)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from torch.nn import functional

from imprint.train.methods.geometry.answers import by_prototype
from imprint.train.methods.geometry.losses import contrastive
from imprint.train.methods.protocol import Learner, StepLoss
from imprint.train.settings import OptimizerSettings, StepPlan

if TYPE_CHECKING:
    import torch

    from imprint.train.backbones import Backbone
    from imprint.train.methods.protocol import Batch


@dataclass(frozen=True)
class Siamese:
    """Pairs of one class are pulled together, other pairs pushed `margin` apart.

    The loss is Hadsell's on vectors of length one. Departures from Koch et al.: one network seen
    by all pairs of a step instead of drawn pairs (pairs that already satisfy the loss do not
    count in its mean), and no learnt weights on the distance.
    """

    name: ClassVar[str] = "siamese"
    paper: ClassVar[str] = "Koch et al. 2015, Siamese Neural Networks for One-shot Recognition"
    adapts: ClassVar[bool] = False
    step: StepPlan = field(default_factory=lambda: StepPlan(n_way=60, n_shot=1, n_query=5))
    optimizer: OptimizerSettings = field(default_factory=lambda: OptimizerSettings(rate=1e-3))
    margin: float = 1.0

    def prepare(self, backbone: Backbone, n_classes: int) -> Learner:  # noqa: ARG002
        """The backbone alone."""
        return Learner(backbone)

    def loss(self, learner: Learner, batch: Batch) -> StepLoss:
        """Mean over the pairs of the step that violate it."""
        return StepLoss(contrastive(learner(batch.images), batch.labels, self.margin), {})

    def answer(
        self,
        learner: Learner,  # noqa: ARG002
        support: torch.Tensor,
        query: torch.Tensor,
    ) -> torch.Tensor:
        """Minus the squared distance to the mean of each class's directions."""
        return by_prototype(unit(support), unit(query))


def unit(features: torch.Tensor) -> torch.Tensor:
    """Rows brought to length one."""
    return functional.normalize(features, dim=-1)
