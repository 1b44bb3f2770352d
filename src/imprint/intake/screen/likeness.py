"""Are two samples the same one, changed a little? Told from the samples, not from embeddings.

An encoder maps a text with two letters swapped farther away than some genuine paraphrases. What
they are made of tells: for texts the three-letter pieces they share (q-grams bound the number of
edits: Ukkonen 1992), for pictures how alike their brightness is at a coarse grid. Texts that differ
in a number are never copies: "item 3" is another item than "item 4".
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from imprint.types import Pixels, Sample


class Wording(NamedTuple):
    """What is compared of a text: its three-letter pieces, and the numbers in it."""

    pieces: Counter[str]
    numbers: tuple[str, ...]


Grid = npt.NDArray[np.float32]
Likeness = Wording | Grid

# From here on two samples count as copies; 1 is the same.
COPY_FROM: Final = {"text": 0.91, "image": 0.945}
_PIECE: Final = 3
_LONGEST: Final = 2000
_FEWEST_LETTERS: Final = 12
_SILENT: Final = re.compile(r"[^\w]+")
_NUMBER: Final = re.compile(r"\d+")
_CELLS: Final = 12
# Pictures whose cells differ by less, in levels of 255, are textures: all of them are alike.
_LEAST_DEVIATION: Final = 10.0
_LUMA: Final = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def likeness_of(sample: Sample) -> Likeness | None:
    """What is compared of a sample; None for recordings, short texts and blank pictures."""
    if isinstance(sample.value, str):
        return _wording(sample.value)
    return _grid(sample.value) if isinstance(sample.value, np.ndarray) else None


def alike(one: Likeness, other: Likeness) -> float:
    """How alike two samples of one modality are: 1 the same, 0 or less nothing in common."""
    if isinstance(one, Wording) and isinstance(other, Wording):
        return _alike_texts(one, other)
    if isinstance(one, Wording) or isinstance(other, Wording):
        return 0.0
    return float(np.vdot(one, other))


def _alike_texts(one: Wording, other: Wording) -> float:
    if one.numbers != other.numbers:
        return 0.0
    n_pieces = max(one.pieces.total(), other.pieces.total())
    # An edit touches three pieces: this is about 1 - edits / length.
    return 1.0 - (n_pieces - (one.pieces & other.pieces).total()) / (_PIECE * n_pieces)


def _wording(text: str) -> Wording | None:
    """Three-letter pieces of a text without case, punctuation and white space at its ends."""
    plain = _SILENT.sub(" ", text[:_LONGEST].casefold()).strip()
    if len(plain) < _FEWEST_LETTERS:
        return None
    padded = f"  {plain} "
    pieces = Counter(padded[at : at + _PIECE] for at in range(len(padded) - _PIECE + 1))
    return Wording(pieces, tuple(sorted(_NUMBER.findall(plain))))


def _grid(pixels: Pixels) -> Grid | None:
    """Brightness averaged over 12 by 12 cells, less its mean, of length one."""
    height, width = pixels.shape[:2]
    if min(height, width) < _CELLS:
        return None
    gray = pixels.astype(np.float32) @ _LUMA
    rows = np.add.reduceat(gray, np.arange(_CELLS) * height // _CELLS, axis=0)
    cells = np.add.reduceat(rows, np.arange(_CELLS) * width // _CELLS, axis=1)
    heights = np.diff(np.append(np.arange(_CELLS) * height // _CELLS, height))
    widths = np.diff(np.append(np.arange(_CELLS) * width // _CELLS, width))
    flat = (cells / heights[:, None] / widths).ravel()
    flat -= flat.mean()
    length = float(np.linalg.norm(flat))
    return None if length < _LEAST_DEVIATION * _CELLS else (flat / length).astype(np.float32)
