"""A folder with one folder of images per class, or with train, val and test folders of those."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, UnidentifiedImageError

from imprint.errors import EmptyClassError, TooFewSupportsError
from imprint.train.sources.pool import ImagePool, LeftOut, Splits, split_classes

if TYPE_CHECKING:
    from pathlib import Path

PARTS = (("train",), ("val", "validation", "valid"), ("test",))
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _Read:
    names: tuple[str, ...]
    labels: list[int]
    images: list[Pixels]  # (px, px, 3) each
    left_out: list[LeftOut]


def folder_splits(folder: Path, image_px: int, *, seed: int, turned: bool) -> Splits:
    """Read every image into memory as a square of `image_px`; classes are dealt to the parts.

    Folders named train, val and test are taken as the parts; otherwise classes are dealt by
    `seed`. Pictures that are all gray have one channel. Files that are no readable image are left
    out and listed; hidden files are not looked at.

    Raises:
        TooFewSupportsError: there is no class folder, or too few for three parts.
        EmptyClassError: a class folder holds no readable image; says which.
    """
    parts = [_part(folder, names) for names in PARTS]
    if all(part is not None for part in parts):
        reads = [_read_classes(part, image_px) for part in parts if part is not None]
        gray = all(_is_gray(read) for read in reads)
        first, second, third = (_pool(read, gray=gray, turned=turned) for read in reads)
        left_out = tuple(one for read in reads for one in read.left_out)
        about = "a folder with train, val and test"
        return Splits(first, second, third, left_out, about)
    read = _read_classes(folder, image_px)
    pool = _pool(read, gray=_is_gray(read), turned=turned)
    about = f"a folder of {len(read.names):,} classes dealt by seed {seed}"
    return Splits(*split_classes(pool, seed), tuple(read.left_out), about)


def _part(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def _read_classes(folder: Path, image_px: int) -> _Read:
    classes = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if len(classes) < 2:
        raise TooFewSupportsError(
            f"there are {len(classes)} class folders; training needs one folder of images for each "
            "of two or more classes"
        )
    read = _Read(tuple(one.name for one in classes), [], [], [])
    for number, one in enumerate(classes):
        n_before = len(read.images)
        for file in sorted(one.rglob("*")):
            if file.is_file() and not file.name.startswith("."):
                _read_into(read, number, file, file.relative_to(folder).as_posix(), image_px)
        if len(read.images) == n_before:
            n_tried = sum(left.name.startswith(f"{one.name}/") for left in read.left_out)
            raise EmptyClassError(
                f"class {one.name!r} holds no readable image ({n_tried} files could not be read); "
                "fill its folder or remove it"
            )
    return read


def _read_into(read: _Read, number: int, file: Path, name: str, image_px: int) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as opened:
                pixels = _squared(opened, image_px)
    except UnidentifiedImageError:
        read.left_out.append(LeftOut(name, "not an image"))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        read.left_out.append(LeftOut(name, "too many pixels"))
    except (OSError, ValueError, SyntaxError):
        read.left_out.append(LeftOut(name, "damaged or cut off"))
    else:
        read.labels.append(number)
        read.images.append(pixels)


def _squared(opened: Image.Image, image_px: int) -> Pixels:
    opened.draft("RGB", (2 * image_px, 2 * image_px))
    whole = opened.convert("RGB")
    side = min(whole.size)
    left, top = (whole.width - side) // 2, (whole.height - side) // 2
    middle = whole.crop((left, top, left + side, top + side))
    return np.asarray(middle.resize((image_px, image_px), Image.Resampling.BILINEAR))


def _is_gray(read: _Read) -> bool:
    return all((one[..., :1] == one).all() for one in read.images)


def _pool(read: _Read, *, gray: bool, turned: bool) -> ImagePool:
    stacked = np.stack(read.images)[..., : 1 if gray else 3]
    images = torch.from_numpy(np.ascontiguousarray(stacked.transpose(0, 3, 1, 2)))
    return ImagePool(images, torch.tensor(read.labels), read.names, turned)
