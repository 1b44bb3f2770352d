"""What the training loop asks of a method, and the values that pass between them.

A method is one frozen value: its fields are the settings (with the paper's defaults) and it has
three functions. The loop owns everything else: drawing, augmentation, half precision, the
optimizer, validation, checkpoints, early stopping, recording.

    prepare   backbone, n_classes  -> Learner         once, before the first step
    loss      Learner, Batch       -> StepLoss        every step; the loop differentiates it
    answer    Learner, support, query -> scores       every validation and test episode

Batch norm: in a step (`learner.train()`) statistics come from the images of the step, which are
all training images. In `answer` the learner is in `eval()` mode and uses running statistics, so
the answer to a query never depends on the other queries. A method that adapts may compute
statistics from supports, never from queries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imprint.train.backbones import Backbone
    from imprint.train.settings import OptimizerSettings, StepPlan


class Learner(nn.Module):
    """What is trained and saved: the backbone and, for some methods, a head of their own."""

    def __init__(self, backbone: Backbone, head: nn.Module | None = None) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (n, channels, px, px) in 0 .. 1 to features (n, width) in full precision."""
        features: torch.Tensor = self.backbone(images)
        return features.float()


@dataclass(frozen=True)
class Batch:
    """The images of one step: episode by episode, class by class, supports before queries.

    `images` is (n_episodes * n_way * n_each, channels, px, px) in 0 .. 1; `labels` gives the
    number each image's class has in the training pool. `plan` holds the real n_way.
    """

    images: torch.Tensor
    labels: torch.Tensor
    plan: StepPlan

    def split(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Anything with one row per image, as supports and queries.

        Returns (n_episodes, n_way, n_shot, ...) and (n_episodes, n_way, n_query, ...).
        """
        plan = self.plan
        grouped = rows.reshape(plan.n_episodes, plan.n_way, plan.n_each, *rows.shape[1:])
        return grouped[:, :, : plan.n_shot], grouped[:, :, plan.n_shot :]

    def targets(self) -> torch.Tensor:
        """Class of each query within its episode: (n_episodes, n_way, n_query)."""
        plan = self.plan
        numbers = torch.arange(plan.n_way, device=self.labels.device)
        return numbers.view(1, -1, 1).expand(plan.n_episodes, plan.n_way, plan.n_query)


@dataclass(frozen=True)
class StepLoss:
    """The scalar to differentiate, and figures of the step that go into the epoch's means."""

    loss: torch.Tensor
    metrics: Mapping[str, torch.Tensor]


class Method(Protocol):
    """One way to learn from few examples; see the module's docstring for the contract.

    `name` is that of the command; `paper` cites it. `adapts` False: the loop embeds all images of
    a split once with the backbone (in `eval()` mode) and `answer` gets features: support
    (n_way, n_shot, width), query (n, width). `adapts` True: `answer` gets images instead,
    (n_way, n_shot, channels, px, px) and (n, channels, px, px), under `torch.no_grad`; it turns
    gradients on itself where it needs them and leaves the learner as it was. Either way it
    returns scores (n, n_way), larger for the likelier class.
    """

    @property
    def name(self) -> str:
        """Name on the command line and in records."""

    @property
    def paper(self) -> str:
        """Authors, year and title of the paper."""

    @property
    def adapts(self) -> bool:
        """Whether `answer` needs images, because it changes weights for each episode."""

    @property
    def step(self) -> StepPlan:
        """What one step draws."""

    @property
    def optimizer(self) -> OptimizerSettings:
        """How the learner's weights move."""

    def prepare(self, backbone: Backbone, n_classes: int) -> Learner:
        """Join the backbone with what the method needs to learn `n_classes` training classes."""

    def loss(self, learner: Learner, batch: Batch) -> StepLoss:
        """The loss of one step. Call `learner(batch.images)`; half precision is the loop's."""

    def answer(self, learner: Learner, support: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
        """Scores (n_query, n_way) of one episode."""


def accuracy(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Share of rows whose highest score is at the target; a detached scalar."""
    return (scores.detach().argmax(-1) == targets).float().mean()
