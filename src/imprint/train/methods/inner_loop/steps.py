"""The inner loop of gradient-based few-shot learning, as pure functions of weights and supports.

Nothing here keeps state: weights come in as a mapping of names to tensors and go out as a new
one, so the same functions serve training (differentiated through) and answering.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch.func import grad, vmap
from torch.nn import functional

from imprint.errors import InvalidOptionError
from imprint.train.methods.protocol import StepLoss, accuracy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import nn

Weights = dict[str, torch.Tensor]
Start = Literal["learned", "zero", "prototype"]
STARTS = ("learned", "zero", "prototype")
WEIGHT, BIAS = "head.weight", "head.bias"


def adapt(
    objective: Callable[[Weights], torch.Tensor],
    weights: Mapping[str, torch.Tensor],
    rate: float,
    n_steps: int,
    *,
    second_order: bool,
) -> Weights:
    """Take `n_steps` gradient steps on `objective` and return the new weights.

    With `second_order` the result can be differentiated through every step (Finn et al. 2017,
    equation 1). Without it the steps count as constants: a gradient of the result is the gradient
    at the adapted weights, carried over unchanged to the weights given (their section 5.2).
    """
    moved = dict(weights)
    for _ in range(n_steps):
        if second_order:
            slopes = grad(objective)(moved)
        else:
            still = {name: weight.detach() for name, weight in moved.items()}
            slopes = {name: slope.detach() for name, slope in grad(objective)(still).items()}
        moved = {name: weight - rate * slopes[name] for name, weight in moved.items()}
    return moved


def targets_of(n_way: int, n_each: int, device: torch.device) -> torch.Tensor:
    """Class numbers of rows that stand class by class: (n_way * n_each,)."""
    return torch.arange(n_way, device=device).repeat_interleave(n_each)


def loss_of_queries(
    scores_of: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    support: torch.Tensor,
    query: torch.Tensor,
    targets: torch.Tensor,
) -> StepLoss:
    """Mean cross-entropy of queries, each task's scored after adapting to its own supports.

    `support` (n_tasks, n_way, n_shot, ...) and `query` (n_tasks, n_way, n_query, ...) as a batch
    splits them; `scores_of` takes one task's supports and its queries in one row.
    """
    scores = vmap(scores_of)(support, query.flatten(1, 2)).flatten(0, 1)
    loss = functional.cross_entropy(scores, targets)
    return StepLoss(loss, {"train_accuracy": accuracy(scores, targets)})


def class_loss(scores: torch.Tensor, targets: torch.Tensor, n_way: int) -> torch.Tensor:
    """Cross-entropy, averaged within each class and summed over classes.

    The paper averages over all rows. Summing over classes makes one inner rate mean the same for
    5 classes and for 20: a class moves its own row of the head as far as it would with fewer.
    """
    return functional.cross_entropy(scores, targets) * n_way


def linear(features: torch.Tensor, weights: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """The head: features (n, width) to scores (n, n_way)."""
    return functional.linear(features, weights[WEIGHT], weights[BIAS])


def starting_head(
    start: Start, head: nn.Module | None, features: torch.Tensor, n_way: int
) -> Weights:
    """The head before the first step; `features` are the supports', class by class.

    "learned": what the outer loop learnt, for one n_way only (Finn et al. 2017). "zero": nothing
    is preferred, so neither the order nor the number of classes matters. "prototype": the linear
    classifier equal to nearest class mean in squared Euclidean distance (Triantafillou et al.
    2020), likewise for any n_way.

    Raises:
        InvalidOptionError: a learnt head of another n_way.
    """
    width = features.shape[1]
    if start == "zero":
        return {WEIGHT: features.new_zeros(n_way, width), BIAS: features.new_zeros(n_way)}
    if start == "prototype":
        means = features.reshape(n_way, -1, width).mean(1)
        return {WEIGHT: 2 * means, BIAS: -means.square().sum(1)}
    found = dict(head.named_parameters()) if head is not None else {}
    if "weight" not in found or len(found["weight"]) != n_way:
        n_learnt = len(found["weight"]) if "weight" in found else 0
        raise InvalidOptionError(
            f"the head was learnt for {n_learnt} classes and is asked for {n_way}; train with "
            f"step.n_way={n_way}, or with start=zero or start=prototype, which fit any number"
        )
    return {WEIGHT: found["weight"], BIAS: found["bias"]}
