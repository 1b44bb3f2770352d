"""Encoders without weights, for tests of others: instant, deterministic, the same everywhere.

They are content-addressed like real ones and put similar samples near each other, crudely: texts by
the words they share, images by an 8 x 8 gray thumbnail, sounds by loudness over 64 stretches.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from imprint.encoders.weights.files import version_of
from imprint.errors import ModalityMismatchError
from imprint.types import Sound

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from imprint.types import Modality, Pixels, Sample, UnitVectors

    Features = npt.NDArray[np.float64]

DIM = 64
_SIDE = 8


class ToyEncoder:
    """A tiny encoder of one modality; give it a `background` bank to test open-set code."""

    def __init__(self, modality: Modality, *, background: UnitVectors | None = None) -> None:
        self.modality: Modality = modality
        self.name = f"toy-{modality}"
        self.version = version_of(self.name, {"kind": "toy.v1", "modality": modality})
        self.dim = DIM
        self.background = background

    def encode(self, samples: Sequence[Sample]) -> UnitVectors:
        """Embed samples.

        Raises:
            ModalityMismatchError: a sample is of another modality.
        """
        for sample in samples:
            if sample.modality != self.modality:
                raise ModalityMismatchError(
                    f"{self.name} reads {self.modality} and was given {sample.modality}"
                )
        rows = np.zeros((len(samples), DIM), dtype=np.float32)
        for row, sample in zip(rows, samples, strict=True):
            row[:] = _direction(_features(sample))
        return rows


def _features(sample: Sample) -> Features:
    if isinstance(sample.value, str):
        words = sample.value.lower().split() or [""]
        total: Features = np.sum([_drawn(word) for word in words], axis=0)
        return total
    if isinstance(sample.value, Sound):
        stretches = np.array_split(sample.value.waveform.astype(np.float64), DIM)
        loudness = [float(np.sqrt(np.mean(part**2))) if part.size else 0.0 for part in stretches]
        return np.array(loudness)
    return _thumbnail(sample.value)


def _drawn(word: str) -> Features:
    """Numbers in -1 .. 1 that depend on the word alone."""
    drawn = np.frombuffer(hashlib.shake_256(word.encode()).digest(4 * DIM), dtype="<u4")
    return drawn.astype(np.float64) / 2.0**31 - 1.0


def _thumbnail(pixels: Pixels) -> Features:
    gray = pixels.mean(axis=2)
    blocks = [
        block.mean() if block.size else 0.0
        for band in np.array_split(gray, _SIDE, axis=0)
        for block in np.array_split(band, _SIDE, axis=1)
    ]
    centered: Features = np.array(blocks) - 127.0
    return centered


def _direction(features: Features) -> Features:
    length = float(np.linalg.norm(features))
    # Silence and plain gray have no direction: they get the first axis.
    direction: Features = features / length if length > 1e-9 else np.eye(DIM)[0]
    return direction
