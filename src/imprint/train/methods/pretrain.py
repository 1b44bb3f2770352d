"""Supervised pre-training with a cosine head (Gidaris and Komodakis 2018; Chen et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, cast

import torch
from torch import nn
from torch.nn import functional

from imprint.train.methods.geometry.answers import by_direction
from imprint.train.methods.protocol import Learner, StepLoss, accuracy
from imprint.train.settings import OptimizerSettings, StepPlan

if TYPE_CHECKING:
    from imprint.train.backbones import Backbone
    from imprint.train.methods.protocol import Batch


class CosineHead(nn.Module):
    """Logits as scaled cosines to one learnt direction per class; the scale is learnt as well."""

    def __init__(self, width: int, n_classes: int, scale: float) -> None:
        super().__init__()
        self.directions = nn.Parameter(torch.randn(n_classes, width) / width**0.5)
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(n, width) to (n, n_classes)."""
        directions = functional.normalize(self.directions, dim=1)
        return self.scale * (functional.normalize(features, dim=1) @ directions.T)


@dataclass(frozen=True)
class Pretrain:
    """Learn all training classes at once; the head is dropped, features are compared by cosine.

    Every step draws `n_way` classes of one image each, so a step is a plain batch. `smoothing` is
    label smoothing; `margin` lowers the cosine of the right class before the softmax (Wang et al.
    2018), which tightens classes.
    """

    name: ClassVar[str] = "pretrain"
    paper: ClassVar[str] = "Chen et al. 2019, A Closer Look at Few-shot Classification (Baseline++)"
    adapts: ClassVar[bool] = False
    step: StepPlan = field(default_factory=lambda: StepPlan(n_way=256, n_shot=1, n_query=0))
    optimizer: OptimizerSettings = field(default_factory=lambda: OptimizerSettings(rate=2e-3))
    scale: float = 10.0
    smoothing: float = 0.0
    margin: float = 0.0

    def prepare(self, backbone: Backbone, n_classes: int) -> Learner:
        """The backbone and a cosine head for the training classes."""
        return Learner(backbone, CosineHead(backbone.width, n_classes, self.scale))

    def loss(self, learner: Learner, batch: Batch) -> StepLoss:
        """Cross-entropy over all training classes."""
        head = cast("CosineHead", learner.head)
        logits = head(learner(batch.images))
        if self.margin:
            gap = head.scale * self.margin
            logits = logits - gap * functional.one_hot(batch.labels, logits.shape[1])
        loss = functional.cross_entropy(logits, batch.labels, label_smoothing=self.smoothing)
        return StepLoss(loss, {"train_accuracy": accuracy(logits, batch.labels)})

    def answer(
        self,
        learner: Learner,  # noqa: ARG002
        support: torch.Tensor,
        query: torch.Tensor,
    ) -> torch.Tensor:
        """Cosine to the mean direction of each class."""
        return by_direction(support, query)
