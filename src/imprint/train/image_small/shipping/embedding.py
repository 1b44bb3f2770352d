"""The whole path from pixels to the vector that ships, as one torch module.

Four parts, each of length one, weighted and joined. Three come from the trunk, which learnt photos
and drawings: its last stage averaged, and the strongest responses of the two stages before, which
keep texture and stroke. The fourth is the local branch, which learnt faults on drawn surfaces and
sees the picture at twice the trunk's resolution; a gate lets it through where a picture looks like
a surface or a board rather than a photo, because in photos it is noise.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imprint.train.image_small.backbone import Trunk
    from imprint.train.image_small.local.branch import LocalBranch
    from imprint.train.image_small.sets import ImageSet

# Stage of the trunk, how it is pooled, how much it counts; chosen on classes set aside.
TRUNK_PARTS = ((3, "mean", 1.0), (2, "max", 0.7), (1, "max", 0.4))
LOCAL_WEIGHT = 1.0
# Directions are shortened by this power of their spread within classes, 0 leaves them, 1 whitens;
# FLOOR (of the mean spread) keeps directions that hardly vary from growing large.
EVENING = 0.6
FLOOR = 0.1
N_FROM_EACH = 1500
GATE_DECAY = 1e-5


@dataclass(frozen=True, eq=False)
class Shown:
    """Pictures to center and even out on: batches (n, px, px, 3) uint8, labels of all of them.

    Drawings of the pen count for centers only: their classes vary in other directions than those
    of photos, and there are a thousand of them.
    """

    batches: Iterator[torch.Tensor]
    labels: torch.Tensor
    evens: bool


class Embedding(nn.Module):
    """Pixels (n, px, px, 3) uint8 to unit vectors (n, dim).

    Each trunk part is the root of the pooled features at length one (the root evens out bursty
    channels), minus its mean over the training sets (Wang et al. 2019), turned to the principal
    directions of what varies within classes, which are then partly evened out.
    """

    def __init__(
        self, trunk: Trunk, branch: LocalBranch, *, local_weight: float = LOCAL_WEIGHT
    ) -> None:
        super().__init__()
        self.trunk = copy.deepcopy(trunk).eval()
        self.branch = copy.deepcopy(branch).eval()
        self.part_weights = (*(weight for _, _, weight in TRUNK_PARTS), local_weight)
        widths = [*(trunk.widths[stage] for stage, _, _ in TRUNK_PARTS), branch.n_features]
        for i, width in enumerate(widths):
            self.register_buffer(f"center{i}", torch.zeros(width))
            self.register_buffer(f"turn{i}", torch.eye(width))
        self.dim = sum(widths)
        self.register_buffer("gate", torch.zeros(self.dim))
        self.register_buffer("gate_offset", torch.zeros(()))

    def raw_parts(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        """The parts before centering: (n, width) unit rows each."""
        fine = pixels.permute(0, 3, 1, 2).float() / 255.0
        maps = self.trunk.stage_maps(functional.avg_pool2d(fine, 2))
        pooled = [
            maps[stage].mean(dim=(2, 3)) if how == "mean" else maps[stage].amax(dim=(2, 3))
            for stage, how, _ in TRUNK_PARTS
        ]
        rooted = [functional.normalize(torch.sqrt(one + 1e-6), dim=1) for one in pooled]
        return [*rooted, functional.normalize(self.branch(fine), dim=1)]

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Unit vectors."""
        raw, parts = self.raw_parts(pixels), []
        for i, (part, weight) in enumerate(zip(raw, self.part_weights, strict=True)):
            turned = (part - self.get_buffer(f"center{i}")) @ self.get_buffer(f"turn{i}").float()
            parts.append(weight * functional.normalize(turned, dim=1))
        logit = torch.cat(raw, dim=1) @ self.get_buffer("gate")[:, None]
        parts[-1] = parts[-1] * torch.sigmoid(logit + self.get_buffer("gate_offset"))
        return functional.normalize(torch.cat(parts, dim=1), dim=1)


def fitted(
    embedding: Embedding,
    learnt: Sequence[Shown],
    drawn: Sequence[Shown] = (),
    gray: Sequence[Shown] = (),
) -> Embedding:
    """Set centers, turns and the gate; every group of pictures counts the same.

    The parts of the trunk are fitted on what it learnt from; the local part is centered on that and
    on drawn surfaces and boards, and evened out on the latter. The gate is fitted on drawn pictures
    against photos, in color and, that color alone does not decide, in `gray`.
    """
    rows = [_parts_of(embedding, one.batches) for one in (*learnt, *drawn)]
    if drawn:
        photos = [r for r, one in zip(rows, learnt, strict=False) if one.evens]
        photos += [_parts_of(embedding, one.batches) for one in gray]
        closed, opened = ([torch.cat(r, dim=1) for r in g] for g in (photos, rows[len(learnt) :]))
        _fit_gate(embedding, closed, opened)
    for i in range(len(embedding.part_weights)):
        local = i == len(embedding.part_weights) - 1 and bool(drawn)
        used = len(rows) if local else len(learnt)
        center = torch.stack([one[i].mean(dim=0) for one in rows[:used]]).mean(dim=0)
        spreads = [
            _within(one[i], shown.labels)
            for one, shown in zip(rows, (*learnt, *drawn), strict=True)
            if shown.evens and (shown in drawn) == local
        ]
        embedding.get_buffer(f"center{i}").copy_(center)
        if spreads:
            embedding.get_buffer(f"turn{i}").copy_(_evening(torch.stack(spreads).mean(dim=0)))
    return embedding.eval()


def _fit_gate(
    embedding: Embedding, closed: Sequence[torch.Tensor], opened: Sequence[torch.Tensor]
) -> None:
    """Logistic regression, both sides counting the same; decay keeps it from being too sure."""
    rows = torch.cat([*closed, *opened])
    wanted = torch.cat([torch.zeros(sum(map(len, closed))), torch.ones(sum(map(len, opened)))])
    weight = torch.where(wanted > 0, 0.5 / wanted.mean(), 0.5 / (1 - wanted.mean()))
    gate = torch.zeros(rows.shape[1], requires_grad=True)
    offset = torch.zeros((), requires_grad=True)
    optimizer = torch.optim.Adam([gate, offset], lr=0.1)
    for _ in range(300):
        logits = rows @ gate + offset
        loss = functional.binary_cross_entropy_with_logits(logits, wanted, weight)
        optimizer.zero_grad()
        (loss + GATE_DECAY * (gate * gate).sum()).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    embedding.get_buffer("gate").copy_(gate.detach())
    embedding.get_buffer("gate_offset").copy_(offset.detach())


def _parts_of(embedding: Embedding, batches: Iterator[torch.Tensor]) -> list[torch.Tensor]:
    with torch.no_grad():
        return [torch.cat(p) for p in zip(*map(embedding.raw_parts, batches), strict=True)]


def _within(rows: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Covariance around the class means (as in Hatch et al. 2006)."""
    _, numbers, counts = torch.unique(labels, return_inverse=True, return_counts=True)
    sums = torch.zeros(len(counts), rows.shape[1]).index_add_(0, numbers, rows)
    return torch.cov((rows - (sums / counts[:, None])[numbers]).T.double())


def _evening(spread: torch.Tensor) -> torch.Tensor:
    variance, directions = torch.linalg.eigh(spread)
    scale = (variance / variance.mean() + FLOOR).clamp(min=FLOOR) ** (-EVENING / 2)
    turn: torch.Tensor = directions * scale
    return turn.float()


def shown_of(one: ImageSet, side_px: int, n: int = N_FROM_EACH, *, gray: bool = False) -> Shown:
    """Plain pictures of a set, evenly spread over it, as the encoder will see them."""
    rows = torch.linspace(0, len(one.images) - 1, min(len(one.images), n)).long()
    batches = (squares_of(one, some, side_px) for some in torch.split(rows, 50))
    if gray:
        batches = (b.float().mean(dim=3, keepdim=True).byte().expand_as(b) for b in batches)
    return Shown(batches, one.labels[rows], evens=not one.drawing)


def shown_views(views: torch.Tensor, labels: torch.Tensor) -> Shown:
    """Views (n, 3, px, px) in 0 .. 1, as the encoder will see them."""
    pixels = (views * 255).round().byte().permute(0, 2, 3, 1)
    return Shown((some.contiguous() for some in torch.split(pixels, 50)), labels, evens=True)


def squares_of(one: ImageSet, rows: torch.Tensor, side_px: int) -> torch.Tensor:
    """Plain pictures of a set, as the network will see them: (n, px, px, 3) uint8."""
    images = one.images[rows].float()
    images = functional.interpolate(
        images, size=(side_px, side_px), mode="bicubic", antialias=True, align_corners=False
    )
    images = images.round().clamp(0, 255)
    if one.drawing:
        images = (255.0 - images).expand(-1, 3, -1, -1)
    return images.byte().permute(0, 2, 3, 1).contiguous()
