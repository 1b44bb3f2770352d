"""Images as arrays: an .npz file with `x` and `y`."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from imprint.errors import InvalidTableError, TooFewSupportsError
from imprint.train.sources.pool import ImagePool, Splits, split_classes

if TYPE_CHECKING:
    from pathlib import Path


def array_splits(file: Path, image_px: int, *, seed: int, turned: bool) -> Splits:
    """Read `x` (n, px, px) or (n, px, px, 1 or 3), 0 .. 255 or 0 .. 1, and `y` (n,) of labels.

    Other sizes are brought to `image_px`. Classes are dealt to training, validation and test.

    Raises:
        InvalidTableError: the file or one of its arrays is not of that form; says what it is.
        TooFewSupportsError: too few classes for three parts.
    """
    x, y = _read(file)
    names, labels = np.unique(y.astype(np.str_), return_inverse=True)
    if len(names) < 2:
        raise TooFewSupportsError(f"y names {len(names)} class; training needs two or more")
    images = _resized(_as_uint8(x), image_px)
    pool = ImagePool(images, torch.from_numpy(labels), tuple(names.tolist()), turned)
    about = f"an npz file of {len(names):,} classes dealt by seed {seed}"
    return Splits(*split_classes(pool, seed), about=about)


def _read(file: Path) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    try:
        with np.load(file, allow_pickle=False) as archive:
            if not {"x", "y"} <= set(archive.files):
                raise InvalidTableError(
                    f"the file holds {', '.join(archive.files) or 'nothing'}; it needs x and y"
                )
            x, y = archive["x"], archive["y"]
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, InvalidTableError):
            raise
        raise InvalidTableError("this is no npz file of plain arrays") from None
    if x.ndim not in (3, 4) or (x.ndim == 4 and x.shape[-1] not in (1, 3)) or not len(x):
        raise InvalidTableError(
            f"x has the shape {x.shape}; it must be (n, px, px) or (n, px, px, 1 or 3)"
        )
    if y.shape != (len(x),):
        raise InvalidTableError(f"x has {len(x):,} rows but y has the shape {y.shape}")
    return x, y


def _as_uint8(x: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if not np.issubdtype(x.dtype, np.number) or not np.isfinite(x).all():
        raise InvalidTableError(f"x is of type {x.dtype} or not finite; it must hold plain numbers")
    if x.min() < 0 or x.max() > 255:
        raise InvalidTableError(f"x goes from {x.min()} to {x.max()}; it must be in 0 .. 255")
    if x.dtype == np.uint8:
        return np.asarray(x, np.uint8)
    scale = 255.0 if np.issubdtype(x.dtype, np.floating) and x.max() <= 1 else 1.0
    rounded: npt.NDArray[np.uint8] = np.rint(x.astype(np.float32) * scale).astype(np.uint8)
    return rounded


def _resized(x: npt.NDArray[np.uint8], image_px: int) -> torch.Tensor:
    shaped = x[..., None] if x.ndim == 3 else x
    images = torch.from_numpy(np.ascontiguousarray(shaped.transpose(0, 3, 1, 2)))
    if images.shape[2:] == (image_px, image_px):
        return images
    parts = [
        functional.interpolate(
            part.float(), size=(image_px, image_px), mode="bilinear", antialias=True
        )
        for part in torch.split(images, 1024)
    ]
    return torch.cat(parts).round().clamp(0, 255).to(torch.uint8)
