"""Losses and miners of pytorch-metric-learning, as functions of features and class numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytorch_metric_learning.distances import CosineSimilarity, LpDistance
from pytorch_metric_learning.losses import ContrastiveLoss, SupConLoss, TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner
from pytorch_metric_learning.reducers import AvgNonZeroReducer, MeanReducer

if TYPE_CHECKING:
    import torch


class SquaredReducer(AvgNonZeroReducer):  # type: ignore[misc]
    """Mean square of the pair losses that are not zero; the library's are not squared."""

    def pos_pair_reduction(self, losses: torch.Tensor, *rest: Any) -> Any:
        """Of pairs of one class."""
        return super().pos_pair_reduction(losses.square(), *rest)

    def neg_pair_reduction(self, losses: torch.Tensor, *rest: Any) -> Any:
        """Of pairs of two classes."""
        return super().neg_pair_reduction(losses.square(), *rest)


def contrastive(features: torch.Tensor, labels: torch.Tensor, margin: float) -> torch.Tensor:
    """Squared distance of like pairs plus squared shortfall from `margin` of unlike ones.

    Both are means over the pairs that are not zero, so that the many easy unlike pairs of a step
    do not outweigh the few like ones. Distances are between unit vectors.
    """
    distance = LpDistance(normalize_embeddings=True, p=2, power=1)
    halves = ContrastiveLoss(
        pos_margin=0.0, neg_margin=margin, distance=distance, reducer=SquaredReducer()
    )
    loss: torch.Tensor = halves(features, labels)
    return loss


def hardest_triplets(
    features: torch.Tensor, labels: torch.Tensor, margin: float, *, soft: bool
) -> torch.Tensor:
    """Triplet loss with, for each anchor, its farthest like and nearest unlike image of the step.

    `soft` replaces the hinge at `margin` by log(1 + exp(d_like - d_unlike)), Hermans et al. 2017.
    """
    distance = LpDistance(normalize_embeddings=not soft, p=2, power=1)
    triplets = BatchHardMiner(distance=distance)(features, labels)
    made = TripletMarginLoss(
        margin=0.0 if soft else margin,
        smooth_loss=soft,
        distance=distance,
        reducer=MeanReducer(),
    )
    loss: torch.Tensor = made(features, labels, triplets)
    return loss


def supervised_contrastive(
    features: torch.Tensor, labels: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Each image picks out the others of its class among all of the step, Khosla et al. 2020."""
    made = SupConLoss(temperature=temperature, distance=CosineSimilarity())
    loss: torch.Tensor = made(features, labels)
    return loss
