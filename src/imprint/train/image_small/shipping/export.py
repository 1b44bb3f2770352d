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
from imprint.train.image_small.backbone import ResidualBlock
from imprint.vectors import mean_direction

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from imprint.encoders.pixels import PixelRecipe
    from imprint.train.image_small.shipping.embedding import Embedding
    from imprint.types import Sample

OPSET = 17
# One input channel: measured three times slower in int8 than in fp32.
SLOW_IN_8_BIT = ("/branch/stem/Conv",)


class HalfLinear(nn.Module):
    """A product with a matrix kept in fp16 and used in fp32."""

    def __init__(self, plain: nn.Linear) -> None:
        super().__init__()
        self.register_buffer("matrix", plain.weight.detach().T.contiguous().half())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, width in) to (n, width out)."""
        return x @ self.get_buffer("matrix").float()


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


def lightened(embedding: Embedding) -> Embedding:
    """The same network with every norm fused into its convolution and weights stored in fp16."""
    light = copy.deepcopy(embedding)
    for network in (light.trunk, light.branch):
        parts: Any = network
        parts.stem, parts.stem_norm = _fused(parts.stem, parts.stem_norm)
    for module in list(light.modules()):
        if isinstance(module, ResidualBlock):
            _lighten_block(module)
    for name, value in list(light.named_buffers(recurse=False)):
        if name.startswith("turn"):
            light.register_buffer(name, value.half())
    light.branch.last = HalfLinear(light.branch.last)  # type: ignore[assignment]
    return light.eval()


def _lighten_block(block: ResidualBlock) -> None:
    parts: Any = block
    parts.first, parts.first_norm = _fused(parts.first, parts.first_norm)
    parts.second, parts.second_norm = _fused(parts.second, parts.second_norm)
    if isinstance(block.shortcut, nn.Sequential):
        pool, fit, norm = parts.shortcut
        fused = fuse_conv_bn_eval(fit, norm)
        if isinstance(pool, nn.AvgPool2d):
            fused = _pooling(fused, int(pool.kernel_size))  # type: ignore[arg-type]
        block.shortcut = HalfStored(fused)


def _pooling(fit: nn.Conv2d, side: int) -> nn.Conv2d:
    """A 1x1 convolution after averaging, as one strided convolution: one step less to quantize."""
    joined = nn.Conv2d(fit.in_channels, fit.out_channels, side, side)
    joined.weight.data = fit.weight.detach().repeat(1, 1, side, side) / side**2
    joined.bias = fit.bias
    return joined


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
    numeric = "weights stored as fp16, arithmetic in fp32"
    return _with_card(path, name, embedding.dim, recipe, {"numeric": numeric, **story})


def write_eight_bit_model(
    embedding: Embedding,
    folder: Path,
    plain: ImageEncoder,
    samples: Sequence[Sample],
    story: dict[str, Any],
) -> ImageEncoder:
    """Write the 8-bit twin of `plain` beside it, calibrated on samples of the training sets."""
    from imprint.encoders.models.eight_bit import write_eight_bit

    name, recipe = f"{plain.name}-int8", plain.recipe
    path = folder / f"{name}.onnx"
    views = (view for one in samples for view in prepared(one.value, recipe))  # type: ignore[arg-type]
    write_eight_bit(folder / f"{plain.name}.onnx", path, views, keep=SLOW_IN_8_BIT)
    numeric = "convolutions in int8 (static, per channel), the rest in fp32"
    return _with_card(path, name, embedding.dim, recipe, {"numeric": numeric, **story})


def _with_card(
    path: Path, name: str, dim: int, recipe: PixelRecipe, story: dict[str, Any]
) -> ImageEncoder:
    card = {
        "format": "image-onnx.v1",
        "name": name,
        "modality": "image",
        "dim": dim,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "preprocessing": recipe.to_json(),
        **story,
    }
    text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
    path.with_suffix(".json").write_text(text, encoding="utf-8")
    return ImageEncoder(path, card)


def parity(embedding: Embedding, encoder: ImageEncoder, samples: Sequence[Sample]) -> float:
    """Smallest cosine between torch's vectors (fp32 weights) and the exported file's."""
    expected = []
    for sample in samples:
        views = np.concatenate(prepared(sample.value, encoder.recipe))  # type: ignore[arg-type]
        with torch.no_grad():
            expected.append(mean_direction(embedding(torch.from_numpy(views)).numpy()))
    return float((np.stack(expected) * encoder.encode(samples)).sum(axis=1).min())
