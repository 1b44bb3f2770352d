"""Triplet loss with batch-hard mining (Schroff et al. 2015; Hermans, Beyer and Leibe 2017)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from imprint.train.methods.geometry.answers import by_prototype
from imprint.train.methods.geometry.losses import hardest_triplets
from imprint.train.methods.protocol import Learner, StepLoss
from imprint.train.methods.siamese import unit
from imprint.train.settings import OptimizerSettings, StepPlan

if TYPE_CHECKING:
    import torch

    from imprint.train.backbones import Backbone
    from imprint.train.methods.protocol import Batch


@dataclass(frozen=True)
class Triplet:
    """Every image is an anchor; its hardest like and unlike image of the step make the triplet.

    The hinge at `margin` works on vectors of length one. `soft` takes Hermans' softplus on
    vectors as they are instead, which has no margin to choose and does not collapse early: it
    is the default, as it is theirs.
    """

    name: ClassVar[str] = "triplet"
    paper: ClassVar[str] = "Hermans et al. 2017, In Defense of the Triplet Loss"
    adapts: ClassVar[bool] = False
    step: StepPlan = field(default_factory=lambda: StepPlan(n_way=60, n_shot=1, n_query=5))
    optimizer: OptimizerSettings = field(default_factory=lambda: OptimizerSettings(rate=1e-3))
    margin: float = 0.2
    soft: bool = True

    def prepare(self, backbone: Backbone, n_classes: int) -> Learner:  # noqa: ARG002
        """The backbone alone."""
        return Learner(backbone)

    def loss(self, learner: Learner, batch: Batch) -> StepLoss:
        """Mean over the anchors of the step."""
        features = learner(batch.images)
        return StepLoss(hardest_triplets(features, batch.labels, self.margin, soft=self.soft), {})

    def answer(
        self,
        learner: Learner,  # noqa: ARG002
        support: torch.Tensor,
        query: torch.Tensor,
    ) -> torch.Tensor:
        """Minus the squared distance to each class's mean, in the space the loss works in."""
        if self.soft:
            return by_prototype(support, query)
        return by_prototype(unit(support), unit(query))
