"""Joint supervised pre-training of one trunk on several sets: one cosine head each, EMA weights.

Two workers of one thread each average their gradients; on shared cores that is twice as fast as
one worker of two threads, whose threads wait for each other at every layer.
"""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import distributed, nn
from torch.nn import functional

from imprint.train.augment.image import (
    Dice,
    cut_and_mixed,
    drawing_views,
    photo_views,
    quarter_turned,
)
from imprint.train.image_small.backbone import CosineHead, Trunk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imprint.train.image_small.sets import ImageSet

N_QUARTERS = 4


@dataclass(frozen=True)
class LoopSettings:
    """Everything that decides a run beside the images. Times and shares are of the whole run.

    `batch` and `weights` give, per set name, how many images a step draws and how much their
    loss counts. `px_until` says up to which share of the run each size is used: small views
    first, larger ones last (Touvron et al. 2019).
    """

    seconds: float
    seed: int = 0
    batch: dict[str, int] = field(
        default_factory=lambda: {"tiny_imagenet": 64, "caltech101": 24, "omniglot": 32}
    )
    weights: dict[str, float] = field(
        default_factory=lambda: {"tiny_imagenet": 1.0, "caltech101": 0.4, "omniglot": 0.6}
    )
    px_until: tuple[tuple[float, int], ...] = ((0.35, 48), (0.85, 64), (1.0, 80))
    peak_rate: float = 0.15
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    cutmix_until: float = 0.8
    half_precision: bool = True
    max_steps: int | None = None

    def px(self, share: float) -> int:
        """Side of the views at this share of the run."""
        return next((px for until, px in self.px_until if share <= until), self.px_until[-1][1])

    def rate(self, share: float) -> float:
        """Learning rate: linear up over the first 8 %, then half a cosine down to zero."""
        if share < 0.08:
            return self.peak_rate * (0.05 + 0.95 * share / 0.08)
        return self.peak_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, (share - 0.08) / 0.92)))


class Learner(nn.Module):
    """The trunk and one cosine head per set."""

    def __init__(self, trunk: Trunk, sets: Sequence[ImageSet]) -> None:
        super().__init__()
        self.trunk = trunk
        self.heads = nn.ModuleDict()
        for one in sets:
            n_classes = len(one.class_names) * (N_QUARTERS if one.drawing else 1)
            self.heads[one.name] = CosineHead(trunk.widths[-1], n_classes)


@dataclass(frozen=True)
class Views:
    """Augmented images of one set with two targets each and the share of the first."""

    name: str
    images: torch.Tensor
    targets: torch.Tensor
    others: torch.Tensor
    share: torch.Tensor


def draw_views(one: ImageSet, n: int, px: int, dice: Dice, *, mix: bool) -> Views:
    """A random batch of one set, augmented as photos or as drawings."""
    rows = torch.randint(len(one.images), (n,), generator=dice.generator)
    images, targets = one.images[rows], one.labels[rows]
    if one.drawing:
        turns = torch.randint(N_QUARTERS, (n,), generator=dice.generator)
        views = drawing_views(quarter_turned(images, turns), px, dice)
        targets = targets * N_QUARTERS + turns
    else:
        views = photo_views(images, px, dice)
        if mix:
            views, partner, share = cut_and_mixed(views, dice)
            return Views(one.name, views, targets, targets[partner], share)
    return Views(one.name, views, targets, targets, torch.ones(n))


def joint_loss(
    learner: Learner, parts: Sequence[Views], settings: LoopSettings
) -> tuple[torch.Tensor, dict[str, float]]:
    """Weighted sum over sets of the cross-entropy of all views, passed through as one batch."""
    pixels = torch.cat([p.images for p in parts]).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=settings.half_precision):
        features = learner.trunk(pixels)
    rest, losses = features.float(), {}
    total = torch.zeros(())
    for part in parts:
        mine, rest = rest[: len(part.images)], rest[len(part.images) :]
        logits = learner.heads[part.name](mine)
        smooth = settings.label_smoothing
        first = functional.cross_entropy(
            logits, part.targets, reduction="none", label_smoothing=smooth
        )
        second = functional.cross_entropy(
            logits, part.others, reduction="none", label_smoothing=smooth
        )
        loss = (first * part.share + second * (1 - part.share)).mean()
        losses[part.name] = float(loss.detach())
        total = total + settings.weights.get(part.name, 1.0) * loss
    return total, losses


class NotFiniteLossError(RuntimeError):
    """Training diverged; the last good weights are kept."""


@dataclass(frozen=True)
class Progress:
    """What a run tells while it goes on."""

    step: int
    share: float
    elapsed_s: float
    n_images: int
    losses: dict[str, float]


def train_jointly(
    sets: Sequence[ImageSet],
    settings: LoopSettings,
    *,
    trunk: Trunk,
    on_progress: Callable[[Progress, Trunk], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Trunk:
    """Train until the time (or the number of steps) is up and return the averaged trunk.

    Inside an initialized `torch.distributed` group each worker draws its own batches and
    gradients are averaged; every worker ends with the same weights.

    Raises:
        NotFiniteLossError: the loss became NaN or infinite.
    """
    worker = distributed.get_rank() if distributed.is_initialized() else 0
    dice = Dice(settings.seed * 1000 + worker)
    learner = Learner(trunk, sets)
    learner.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged = copy.deepcopy(trunk)
    optimizer = _optimizer(learner, settings)
    started, share, step = clock(), 0.0, 0
    while share < 1.0:
        for group in optimizer.param_groups:
            group["lr"] = settings.rate(share)
        px, mix = settings.px(share), share < settings.cutmix_until and dice.number(2) == 0
        parts = [draw_views(s, settings.batch[s.name], px, dice, mix=mix) for s in sets]
        loss, losses = joint_loss(learner, parts, settings)
        if not torch.isfinite(loss):
            raise NotFiniteLossError(
                f"the loss was {loss.item()} at step {step}; lower peak_rate ({settings.peak_rate})"
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        step += 1
        spent = (clock() - started) / settings.seconds
        if settings.max_steps is not None:
            spent = max(spent, step / settings.max_steps)
        share = _agreed(learner, min(spent, 1.0))
        nn.utils.clip_grad_norm_(learner.parameters(), 5.0)
        optimizer.step()
        _follow(averaged, trunk, step)
        if on_progress is not None and worker == 0:
            n_images = step * sum(settings.batch[s.name] for s in sets)
            on_progress(Progress(step, share, clock() - started, n_images, losses), averaged)
    return averaged.eval()


def _optimizer(learner: Learner, settings: LoopSettings) -> torch.optim.Optimizer:
    decayed = [p for p in learner.parameters() if p.ndim > 1]
    plain = [p for p in learner.parameters() if p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return torch.optim.SGD(groups, lr=settings.peak_rate, momentum=0.9, nesterov=True)


def _agreed(learner: Learner, share: float) -> float:
    """Average gradients over the workers, and the share of the run with them, in one message."""
    if not distributed.is_initialized():
        return share
    grads = [p.grad for p in learner.parameters() if p.grad is not None]
    flat = torch.cat([*(g.reshape(-1) for g in grads), torch.tensor([share])])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    at = 0
    for grad in grads:
        grad.copy_(flat[at : at + grad.numel()].view_as(grad))
        at += grad.numel()
    return float(flat[-1])


@torch.no_grad()
def _follow(averaged: Trunk, trunk: Trunk, step: int) -> None:
    """Move the averaged weights and running statistics a little toward the current ones."""
    pace = max(0.005, 1.0 / (step + 1))
    current = trunk.state_dict()
    for name, value in averaged.state_dict().items():
        if value.is_floating_point():
            value.lerp_(current[name], pace)
