"""Supervised contrastive learning (Khosla et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from imprint.errors import InvalidOptionError
from imprint.train.methods.geometry.answers import by_direction
from imprint.train.methods.geometry.losses import supervised_contrastive
from imprint.train.methods.protocol import Learner, StepLoss
from imprint.train.settings import OptimizerSettings, StepPlan

if TYPE_CHECKING:
    import torch

    from imprint.train.backbones import Backbone
    from imprint.train.methods.protocol import Batch


@dataclass(frozen=True)
class Contrastive:
    """Each image picks out its class mates among all images of the step, by cosine.

    `temperature` is the paper's second choice, 0.1. Departures: no projection network between the
    features and the loss, because the features themselves are compared later, and different
    images of a class instead of two views of each.
    """

    name: ClassVar[str] = "contrastive"
    paper: ClassVar[str] = "Khosla et al. 2020, Supervised Contrastive Learning"
    adapts: ClassVar[bool] = False
    step: StepPlan = field(default_factory=lambda: StepPlan(n_way=60, n_shot=1, n_query=5))
    optimizer: OptimizerSettings = field(default_factory=lambda: OptimizerSettings(rate=1e-3))
    temperature: float = 0.1

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise InvalidOptionError(f"temperature is {self.temperature}; it must be above 0")

    def prepare(self, backbone: Backbone, n_classes: int) -> Learner:  # noqa: ARG002
        """The backbone alone."""
        return Learner(backbone)

    def loss(self, learner: Learner, batch: Batch) -> StepLoss:
        """Mean over the images of the step."""
        features = learner(batch.images)
        return StepLoss(supervised_contrastive(features, batch.labels, self.temperature), {})

    def answer(
        self,
        learner: Learner,  # noqa: ARG002
        support: torch.Tensor,
        query: torch.Tensor,
    ) -> torch.Tensor:
        """Cosine to the mean direction of each class."""
        return by_direction(support, query)
