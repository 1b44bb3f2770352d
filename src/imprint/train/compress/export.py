"""From a trained network to an ONNX file with its card: what `imprint models add` takes.

The graph reads what serving gives it, (1, side, side, 3) uint8, and does the rest itself: gray for
networks of one channel, inversion for those trained on light ink. So there is one recipe for
pixels, in the card, and torch and ONNX can be compared from the same picture.
"""

from __future__ import annotations

import copy
import hashlib
import json
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from imprint.encoders.catalogue import add, load_encoder
from imprint.encoders.pixels import PixelRecipe, prepared
from imprint.errors import InvalidOptionError
from imprint.types import RawItem, Sample
from imprint.vectors import unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.encoders.protocol import Encoder
    from imprint.train.backbones import Backbone
    from imprint.types import Pixels

OPSET = 17
INPUT, OUTPUT = "pixels", "vector"
LEAST_PARITY = 0.9999
_GRAY = (0.299, 0.587, 0.114)  # what PIL makes gray with, and so what training saw


@dataclass(frozen=True, slots=True)
class Story:
    """What a card says for people: its name, the licence of what was trained, a sentence."""

    name: str
    license: str
    about: str


@dataclass(frozen=True, slots=True)
class Parity:
    """Torch against the exported file as it is served, over `n_pictures` pictures.

    `least_cosine` is the smallest cosine between the two vectors of a picture.
    """

    n_pictures: int
    least_cosine: float
    largest_difference: float

    @property
    def holds(self) -> bool:
        """Whether the file may stand for the network."""
        return self.least_cosine >= LEAST_PARITY


class Served(nn.Module):
    """A backbone that reads pictures as serving prepares them: (n, side, side, 3) uint8."""

    def __init__(self, backbone: Backbone, *, inverted: bool = False) -> None:
        super().__init__()
        self.backbone = copy.deepcopy(backbone).eval()
        self.inverted = inverted
        self.register_buffer("gray", torch.tensor(_GRAY))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, width), not of unit length yet."""
        images = pixels.float() / 255.0
        if self.backbone.n_channels == 1:
            images = (images * self.get_buffer("gray")).sum(3, keepdim=True)
        if self.inverted:
            images = 1.0 - images
        features: torch.Tensor = self.backbone(images.permute(0, 3, 1, 2))
        return features


def export(served: Served, path: Path, story: Story, pictures: Sequence[Pixels]) -> Parity:
    """Write the ONNX file, its card and the parity report beside it.

    Raises:
        InvalidOptionError: the file is not named .onnx, or does not give what torch gives.
    """
    if path.suffix != ".onnx":
        raise InvalidOptionError("the file to export to must end in .onnx")
    side_px = served.backbone.image_px
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch speaks of its own exporters' future
        torch.onnx.export(
            served.eval(),
            (torch.zeros(1, side_px, side_px, 3, dtype=torch.uint8),),
            str(path),
            input_names=[INPUT],
            output_names=[OUTPUT],
            opset_version=OPSET,
            dynamo=False,
        )
    recipe = PixelRecipe(side_px, resample="bilinear", layout="uint8_nhwc")
    write_card(path, story, served.backbone.width, recipe.to_json())
    parity = compared(served, opened(path), recipe, pictures)
    report = {**asdict(parity), "least_allowed": LEAST_PARITY, "torch": torch.__version__}
    _write_json(path.with_suffix(".parity.json"), report)
    if not parity.holds:
        raise InvalidOptionError(
            f"the exported file differs from torch: least cosine {parity.least_cosine:.6f} over "
            f"{parity.n_pictures} pictures, {LEAST_PARITY} is asked; another onnxruntime may help"
        )
    return parity


def write_card(path: Path, story: Story, dim: int, preprocessing: dict[str, Any]) -> None:
    """Write `<file>.json` beside an ONNX file, in the form of docs/encoders.md."""
    card = {
        **asdict(story),
        "modality": "image",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "input": INPUT,
        "output": OUTPUT,
        "dim": dim,
        "preprocessing": preprocessing,
    }
    _write_json(path.with_suffix(".json"), card)


def opened(path: Path) -> Encoder:
    """Open an ONNX file with its card as serving would: checked, tried, through the cache.

    Raises:
        InvalidOptionError, ModelHashError: card and file do not fit; says what differs.
    """
    with TemporaryDirectory() as scratch:
        name = add(path, cache_dir=Path(scratch)).name
        return load_encoder(name, cache_dir=Path(scratch))


def compared(
    served: Served, encoder: Encoder, recipe: PixelRecipe, pictures: Sequence[Pixels]
) -> Parity:
    """Ask both for the vectors of the same pictures."""
    given = np.concatenate([prepared(one, recipe)[0] for one in pictures])
    with torch.no_grad():
        expected = unit(served(torch.from_numpy(given)).numpy())
    actual = encoder.encode([sample_of(one) for one in pictures])
    least = float(np.einsum("ij,ij->i", expected, actual).min())
    return Parity(len(pictures), min(1.0, least), float(np.abs(expected - actual).max()))


def sample_of(pixels: Pixels) -> Sample:
    """Wrap a picture of ours as a sample."""
    return Sample("image", pixels, "", RawItem(b""))


def probe_pictures(n: int = 16, seed: int = 0) -> list[Pixels]:
    """Made-up pictures of several sizes for parity, where no real ones are at hand."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (n, 6, 8, 3), dtype=np.uint8)
    scales = rng.integers(4, 20, n)
    return [one.repeat(k, 0).repeat(k, 1) for one, k in zip(coarse, scales, strict=True)]


def _write_json(path: Path, shape: dict[str, Any]) -> None:
    path.write_text(json.dumps(shape, indent=2) + "\n", encoding="utf-8")
