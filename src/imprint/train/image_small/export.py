"""From a trained trunk to the shipped file: fused, centered, half the bytes, checked against torch.

Writes `<name>.onnx` and its card. Weights are stored in fp16 and cast to fp32 by the graph when
it loads, so arithmetic stays fp32 and the file is half as large.
"""

from __future__ import annotations

import copy
import hashlib
import json
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from imprint.encoders.image import ImageEncoder
from imprint.encoders.pixels import prepared
from imprint.vectors import mean_direction

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from imprint.encoders.pixels import PixelRecipe
    from imprint.train.image_small.backbone import ResidualBlock, Trunk
    from imprint.train.image_small.sets import ImageSet
    from imprint.types import Sample

OPSET = 17
# Which stages make the vector, and how much each counts.
PARTS = ((3, 1.0), (2, 0.7), (1, 0.5))


class HalfStored(nn.Module):
    """A convolution whose weights are kept in fp16 and used in fp32."""

    def __init__(self, fused: nn.Conv2d) -> None:
        super().__init__()
        self.register_buffer("kernel", fused.weight.detach().half())
        bias = fused.bias
        assert bias is not None  # noqa: S101 - fusing with a norm always makes one
        self.register_buffer("bias", bias.detach().clone())
        self.stride, self.padding = fused.stride, fused.padding

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The convolution."""
        kernel = self.get_buffer("kernel").float()
        return functional.conv2d(x, kernel, self.get_buffer("bias"), self.stride, self.padding)


class Embedding(nn.Module):
    """The whole path from pixels (n, px, px, 3) uint8 to unit vectors (n, dim).

    Three parts, weighted and joined: the last stage averaged, and the strongest response of each
    channel of the two stages before, which keep texture and stroke. Each part is the root of the
    pooled features at length one, minus its mean over the training sets, at length one again: the
    root evens out bursty channels, centering removes what all pictures share (Wang et al. 2019).
    Parts and weights were chosen on classes set aside.
    """

    def __init__(self, trunk: Trunk, centers: Sequence[torch.Tensor] | None = None) -> None:
        super().__init__()
        self.trunk = copy.deepcopy(trunk).eval()
        widths = [trunk.widths[stage] for stage, _ in PARTS]
        for i, width in enumerate(widths):
            self.register_buffer(f"center{i}", centers[i] if centers else torch.zeros(width))
        self.dim = sum(widths)

    def rooted(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        """The parts before centering: (n, width) unit rows each."""
        maps = self.trunk.stage_maps(pixels.permute(0, 3, 1, 2).float() / 255.0)
        last = len(maps) - 1
        pooled = [
            maps[stage].mean(dim=(2, 3)) if stage == last else maps[stage].amax(dim=(2, 3))
            for stage, _ in PARTS
        ]
        return [functional.normalize(torch.sqrt(one + 1e-6), dim=1) for one in pooled]

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Unit vectors."""
        parts = [
            weight * functional.normalize(part - self.get_buffer(f"center{i}"), dim=1)
            for i, (part, (_, weight)) in enumerate(zip(self.rooted(pixels), PARTS, strict=True))
        ]
        return functional.normalize(torch.cat(parts, dim=1), dim=1)


def embedding_of(trunk: Trunk, sets: Sequence[ImageSet], side_px: int) -> Embedding:
    """Center a trunk on the mean over the sets it learnt from, every set counting the same."""
    plain = Embedding(trunk)
    means: list[list[torch.Tensor]] = []
    for one in sets:
        rows = torch.linspace(0, len(one.images) - 1, min(len(one.images), 600)).long()
        with torch.no_grad():
            batches = [plain.rooted(squares_of(one, r, side_px)) for r in torch.split(rows, 50)]
        means.append([torch.cat(part).mean(dim=0) for part in zip(*batches, strict=True)])
    return Embedding(trunk, [torch.stack(part).mean(dim=0) for part in zip(*means, strict=True)])


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


def lightened(embedding: Embedding) -> Embedding:
    """The same network with every norm fused into its convolution and weights stored in fp16."""
    light = copy.deepcopy(embedding)
    trunk: Any = light.trunk
    trunk.stem, trunk.stem_norm = _fused(trunk.stem, trunk.stem_norm)
    for stage in trunk.stages:
        for block in stage:
            _lighten_block(block)
    return light.eval()


def _lighten_block(block: ResidualBlock) -> None:
    parts: Any = block
    parts.first, parts.first_norm = _fused(parts.first, parts.first_norm)
    parts.second, parts.second_norm = _fused(parts.second, parts.second_norm)
    if isinstance(block.shortcut, nn.Sequential):
        pool, fit, norm = parts.shortcut
        block.shortcut = nn.Sequential(pool, _fused(fit, norm)[0])


def _fused(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[HalfStored, nn.Identity]:
    return HalfStored(fuse_conv_bn_eval(convolution, norm)), nn.Identity()


def write_onnx(embedding: Embedding, path: Path, side_px: int) -> None:
    """Write the graph: opset 17, any batch size, one input `pixels`, one output `vector`."""
    example = torch.zeros(2, side_px, side_px, 3, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch speaks of its own exporters' future
        torch.onnx.export(
            lightened(embedding),
            (example,),
            str(path),
            input_names=["pixels"],
            output_names=["vector"],
            opset_version=OPSET,
            dynamic_axes={"pixels": {0: "n"}, "vector": {0: "n"}},
            do_constant_folding=False,
            dynamo=False,
        )


def write_model(
    embedding: Embedding, folder: Path, name: str, recipe: PixelRecipe, story: dict[str, Any]
) -> ImageEncoder:
    """Write `<name>.onnx` and `<name>.json` and open them."""
    path = folder / f"{name}.onnx"
    write_onnx(embedding, path, recipe.side_px)
    card = {
        "format": "image-onnx.v1",
        "name": name,
        "modality": "image",
        "dim": embedding.dim,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "preprocessing": recipe.to_json(),
        "numeric": "weights stored as fp16, arithmetic in fp32",
        **story,
    }
    card_path = folder / f"{name}.json"
    card_path.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return ImageEncoder(path, card)


def parity(embedding: Embedding, encoder: ImageEncoder, samples: Sequence[Sample]) -> float:
    """Smallest cosine between torch's vectors (fp32 weights) and the exported file's."""
    expected = []
    for sample in samples:
        views = np.concatenate(prepared(sample.value, encoder.recipe))  # type: ignore[arg-type]
        with torch.no_grad():
            expected.append(mean_direction(embedding(torch.from_numpy(views)).numpy()))
    return float((np.stack(expected) * encoder.encode(samples)).sum(axis=1).min())
