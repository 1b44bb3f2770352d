"""The three public sets image-small learns from, as tensors of equal size; train splits only."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

PHOTO_PX = {"tiny_imagenet": 64, "caltech101": 112}
DRAWING_PX = 80  # 105 px originals, reduced once with antialiasing: strokes stay two pixels wide


@dataclass(frozen=True)
class ImageSet:
    """One set: images (n, channels, px, px) uint8, their class numbers, and how to augment it.

    Drawings have one channel that holds ink (255 where the pen was), photos three of sRGB.
    """

    name: str
    images: torch.Tensor
    labels: torch.Tensor
    class_names: tuple[str, ...]
    drawing: bool

    def only(self, keep: Callable[[int], bool]) -> ImageSet:
        """The classes whose number passes `keep`, renumbered from zero."""
        kept = [i for i in range(len(self.class_names)) if keep(i)]
        number = torch.full((len(self.class_names),), -1)
        number[kept] = torch.arange(len(kept))
        rows = (number[self.labels] >= 0).nonzero().squeeze(1)
        return ImageSet(
            self.name,
            self.images[rows],
            number[self.labels[rows]],
            tuple(self.class_names[i] for i in kept),
            self.drawing,
        )


def load_photos(folder: Path, name: str, px: int) -> ImageSet:
    """Read `train.zip` of a photo set: members train/<class>/<file>, resized to px by px.

    The aspect ratio is dropped here on purpose: the random crops of training vary it anyway.
    """
    with zipfile.ZipFile(folder / "train.zip") as archive:
        members = sorted(n for n in archive.namelist() if not n.endswith("/"))
        classes = tuple(sorted({n.split("/")[1] for n in members}))
        number = {c: i for i, c in enumerate(classes)}
        images = np.empty((len(members), 3, px, px), dtype=np.uint8)
        for row, member in enumerate(members):
            with Image.open(io.BytesIO(archive.read(member))) as picture:
                square = picture.convert("RGB").resize((px, px), Image.Resampling.BICUBIC)
            images[row] = np.asarray(square).transpose(2, 0, 1)
    labels = torch.tensor([number[n.split("/")[1]] for n in members])
    return ImageSet(name, torch.from_numpy(images), labels, classes, drawing=False)


def load_drawings(file: Path, name: str) -> ImageSet:
    """Read Omniglot's `background.npz`: bit-packed 105 px characters, one class per character."""
    with np.load(file) as packed:
        bits, side = packed["images"], packed["shape"]
        classes = tuple(str(c) for c in packed["classes"])
    n_classes, n_drawers = bits.shape[:2]
    height, width = int(side[0]), int(side[1])
    flat = np.unpackbits(bits.reshape(n_classes * n_drawers, -1), axis=1)[:, : height * width]
    ink = flat.reshape(-1, height, width) * np.uint8(255)
    images = np.stack([_reduced(one, DRAWING_PX) for one in ink])[:, None]
    labels = torch.arange(n_classes).repeat_interleave(n_drawers)
    return ImageSet(name, torch.from_numpy(images), labels, classes, drawing=True)


def _reduced(gray: npt.NDArray[np.uint8], px: int) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.fromarray(gray).resize((px, px), Image.Resampling.BICUBIC))


def load_all(root: Path) -> list[ImageSet]:
    """The sets of the shipped recipe, from the folder that holds them."""
    return [
        load_photos(root / "tiny_imagenet_fs", "tiny_imagenet", PHOTO_PX["tiny_imagenet"]),
        load_photos(root / "caltech101_fs", "caltech101", PHOTO_PX["caltech101"]),
        load_drawings(root / "omniglot" / "background.npz", "omniglot"),
    ]


def held_out(one: ImageSet) -> Callable[[int], bool]:
    """Which classes of a train split are set aside to choose settings on.

    Every eighth class of the photo sets; whole alphabets of Omniglot (every eighth alphabet).
    """
    if not one.drawing:
        return lambda i: i % 8 == 3
    alphabets = sorted({c.split("/")[0] for c in one.class_names})
    aside = set(alphabets[3::8])
    return lambda i: one.class_names[i].split("/")[0] in aside
