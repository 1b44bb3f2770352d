"""Omniglot from bit-packed npz files: two published ways to split it.

`background.npz` and `evaluation.npz` hold `images` uint8 (characters, 20 drawers, packed rows of
1-bit pixels), `shape`, and `classes` as "Alphabet/characterNN". `splits_vinyals.json` names the
characters of train, val and test (Vinyals et al. 2016), by half and alphabet.
"""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from imprint.errors import InvalidTableError, NotFoundError
from imprint.train.sources.pool import ImagePool, Splits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

HALVES = ("background", "evaluation")
SPLIT_FILE = "splits_vinyals.json"
N_VALIDATION_ALPHABETS = 5

Names = list[tuple[str, str]]  # (half, "Alphabet/characterNN")


def is_omniglot(folder: Path) -> bool:
    """Whether the folder holds the files this reader knows."""
    return all((folder / f"{half}.npz").is_file() for half in HALVES)


def vinyals_splits(folder: Path, image_px: int = 28, *, turned: bool = True) -> Splits:
    """1,028 / 172 / 423 characters of both halves, with quarter turns as further classes.

    Raises:
        NotFoundError: a file is missing.
        InvalidTableError: a file cannot be read as what it should be.
    """
    listed = _read_split(folder / SPLIT_FILE)
    inks = {half: _inked(folder / f"{half}.npz", image_px) for half in HALVES}
    parts = {
        part: _pool(
            inks,
            [
                (half, f"{alphabet}/{character}")
                for half, alphabets in listed[part].items()
                for alphabet, characters in alphabets.items()
                for character in characters
            ],
            turned=turned,
        )
        for part in ("train", "val", "test")
    }
    about = f"Omniglot, split of Vinyals et al. 2016{', quarter turns as classes' * turned}"
    return Splits(parts["train"], parts["val"], parts["test"], about=about)


def background_splits(folder: Path, image_px: int = 28, *, turned: bool = True) -> Splits:
    """Train on 25 background alphabets, validate on the other 5, test on evaluation alphabets.

    Nothing is learnt or chosen from the evaluation alphabets. Their pool is not turned: it is
    asked as it is, within one alphabet at a time.

    Raises:
        NotFoundError: a file is missing.
        InvalidTableError: a file cannot be read as what it should be.
    """
    inks = {half: _inked(folder / f"{half}.npz", image_px) for half in HALVES}
    alphabets = sorted({_alphabet(name) for name in inks["background"]})
    held = set(alphabets[:: len(alphabets) // N_VALIDATION_ALPHABETS][:N_VALIDATION_ALPHABETS])

    def part(half: str, keep: Callable[[str], bool], *, turns: bool) -> ImagePool:
        names = [(half, name) for name in inks[half] if keep(_alphabet(name))]
        return _pool(inks, names, turned=turns)

    return Splits(
        part("background", lambda a: a not in held, turns=turned),
        part("background", lambda a: a in held, turns=False),
        part("evaluation", lambda _: True, turns=False),
        about="Omniglot, 30 background alphabets for training and validation, evaluation to test",
    )


def by_alphabet(pool: ImagePool) -> dict[str, ImagePool]:
    """The pool's characters, one pool for each alphabet."""
    alphabets = sorted({_alphabet(name) for name in pool.class_names})
    return {
        one: pool.only([i for i, n in enumerate(pool.class_names) if _alphabet(n) == one])
        for one in alphabets
    }


def _alphabet(name: str) -> str:
    return name.partition("/")[0]


def _pool(inks: Mapping[str, dict[str, torch.Tensor]], names: Names, *, turned: bool) -> ImagePool:
    try:
        stacks = [inks[half][name] for half, name in names]
    except KeyError:
        raise InvalidTableError(
            "the split file names a character that the images do not hold; fetch both again"
        ) from None
    labels = torch.arange(len(stacks)).repeat_interleave(torch.tensor([len(s) for s in stacks]))
    return ImagePool(torch.cat(stacks), labels, tuple(name for _, name in names), turned)


def _read_split(path: Path) -> dict[str, dict[str, dict[str, list[str]]]]:
    if not path.is_file():
        raise NotFoundError(f"{SPLIT_FILE} is missing beside the images")
    listed: dict[str, dict[str, dict[str, list[str]]]] = json.loads(path.read_text("utf-8"))
    return listed


def _inked(path: Path, image_px: int) -> dict[str, torch.Tensor]:
    """Every character's drawings (drawers, 1, px, px) uint8, 255 where the pen was."""
    if not path.is_file():
        raise NotFoundError(f"{path.name} is missing in this folder")
    try:
        with np.load(path) as archive:
            packed, names, shape = archive["images"], archive["classes"], archive["shape"]
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile):
        raise InvalidTableError(f"{path.name} cannot be read as packed drawings") from None
    high, wide = (int(side) for side in shape)
    found = {}
    for name, drawings in zip(names.tolist(), packed, strict=True):
        pixels = np.unpackbits(drawings, axis=1)[:, : high * wide].reshape(-1, high, wide) * 255
        found[str(name)] = torch.from_numpy(np.stack([_reduced(one, image_px) for one in pixels]))
    return found


def _reduced(pixels: npt.NDArray[np.uint8], image_px: int) -> npt.NDArray[np.uint8]:
    small = Image.fromarray(pixels).resize((image_px, image_px), Image.Resampling.BOX)
    return np.asarray(small)[None]
