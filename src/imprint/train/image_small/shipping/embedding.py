"""The whole path from pixels to the vector that ships, as one torch module.

Four parts, each of length one, weighted and joined. Three come from the trunk, which learnt photos
and drawings: its last stage averaged, and the strongest responses of the two stages before, which
keep texture and stroke. The fourth is the local branch, which learnt faults on drawn surfaces and
sees the picture at twice the trunk's resolution.
"""

from __future__ import annotations

import copy
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
TRUNK_PARTS = ((3, "mean", 1.0), (2, "max", 0.5), (1, "max", 0.3))
LOCAL_WEIGHT = 0.5
# Directions are shortened by this power of their variance: 0 leaves them, 1 whitens in full.
EVENING = 0.5
N_FROM_EACH = 900


class Embedding(nn.Module):
    """Pixels (n, px, px, 3) uint8 to unit vectors (n, dim).

    Each trunk part is the root of the pooled features at length one (the root evens out bursty
    channels), minus its mean over the training sets (Wang et al. 2019), turned to the principal
    directions of those sets, which are then partly evened out: in full, whitening raises noise.
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
        parts = []
        for i, (part, weight) in enumerate(
            zip(self.raw_parts(pixels), self.part_weights, strict=True)
        ):
            turned = (part - self.get_buffer(f"center{i}")) @ self.get_buffer(f"turn{i}").float()
            parts.append(weight * functional.normalize(turned, dim=1))
        return functional.normalize(torch.cat(parts, dim=1), dim=1)


def fitted(
    embedding: Embedding,
    learnt: Sequence[Iterator[torch.Tensor]],
    drawn: Sequence[Iterator[torch.Tensor]] = (),
) -> Embedding:
    """Set centers and turns from batches of pictures; every group of pictures counts the same.

    The parts of the trunk are fitted on what it learnt from, the local part on that and on drawn
    surfaces and boards.
    """
    means: list[list[torch.Tensor]] = []
    spreads: list[list[torch.Tensor]] = []
    for group in (*learnt, *drawn):
        with torch.no_grad():
            rows = [torch.cat(part) for part in zip(*map(embedding.raw_parts, group), strict=True)]
        means.append([one.mean(dim=0) for one in rows])
        spreads.append([torch.cov(one.T.double()) for one in rows])
    for i in range(len(embedding.part_weights)):
        local = i == len(embedding.part_weights) - 1
        used = len(means) if local else len(learnt)
        center = torch.stack([one[i] for one in means[:used]]).mean(dim=0)
        cover = torch.stack([one[i] for one in spreads[:used]]).mean(dim=0)
        embedding.get_buffer(f"center{i}").copy_(center)
        embedding.get_buffer(f"turn{i}").copy_(_evening(cover))
    return embedding.eval()


def _evening(cover: torch.Tensor) -> torch.Tensor:
    variance, directions = torch.linalg.eigh(cover)
    floor = 1e-4 * float(variance.mean())
    scale = (variance.clamp(min=floor) / variance.mean()) ** (-EVENING / 2)
    turn: torch.Tensor = directions * scale
    return turn.float()


def set_batches(one: ImageSet, side_px: int, n: int = N_FROM_EACH) -> Iterator[torch.Tensor]:
    """Plain pictures of a set, evenly spread over it, as the encoder will see them."""
    rows = torch.linspace(0, len(one.images) - 1, min(len(one.images), n)).long()
    return (squares_of(one, some, side_px) for some in torch.split(rows, 50))


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


def drawn_batches(views: torch.Tensor) -> Iterator[torch.Tensor]:
    """Views (n, 3, px, px) in 0 .. 1, as the encoder will see them."""
    pixels = (views * 255).round().byte().permute(0, 2, 3, 1)
    return (some.contiguous() for some in torch.split(pixels, 50))
