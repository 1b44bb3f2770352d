"""WAV without any library: whole numbers of 8 to 32 bits and floats of 32 or 64, in -1 .. 1.

Sizes in the header are claims: nothing is allocated from them, and a file that holds less than its
header promises is told apart from one that is merely short.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

_WHOLE, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_HEADER_BYTES = 12
_CHUNK_BYTES = 8
_FORMAT_BYTES = 16
_SUBFORMAT_AT = 24
_MOST_CHUNKS = 1000


@dataclass(frozen=True, slots=True)
class WavPart:
    """Where the frames of a WAV lie and how they are written.

    `n_promised` frames are what the header says; `content` may hold fewer, cut to whole frames.
    """

    rate_hz: int
    n_channels: int
    width_bytes: int
    floats: bool
    n_promised: int
    content: memoryview

    def frames(self) -> npt.NDArray[np.float32]:
        """(n_frames, n_channels); eight-bit WAV is unsigned, the others are signed."""
        if self.floats:
            found = np.frombuffer(self.content, f"<f{self.width_bytes}")
            with np.errstate(over="ignore"):
                levels = found.astype(np.float32)
        elif self.width_bytes == 1:
            levels = (np.frombuffer(self.content, np.uint8).astype(np.float32) - 128.0) / 128.0
        elif self.width_bytes == 3:
            triples = np.frombuffer(self.content, np.uint8).reshape(-1, 3)
            quads = np.zeros((len(triples), 4), np.uint8)
            quads[:, 1:] = triples
            levels = (quads.view("<i4")[:, 0] / 2.0**31).astype(np.float32)
        else:
            whole = np.frombuffer(self.content, f"<i{self.width_bytes}")
            levels = (whole / 2.0 ** (8 * self.width_bytes - 1)).astype(np.float32)
        return levels.reshape(-1, self.n_channels)


def read_wav(content: bytes) -> WavPart | None:
    """Find the frames of a RIFF WAVE file; None when it is written in a way not known here.

    Raises:
        ValueError: it has no format, no frames, or a format that contradicts itself.
    """
    shape: bytes | None = None
    at = _HEADER_BYTES
    for _ in range(_MOST_CHUNKS):
        if at + _CHUNK_BYTES > len(content):
            break
        name, size = struct.unpack_from("<4sI", content, at)
        at += _CHUNK_BYTES
        if name == b"fmt ":
            shape = content[at : at + min(size, 64)]
        elif name == b"data":
            return _part(shape, memoryview(content)[at : at + size], size)
        at += size + size % 2
    raise ValueError("no frames")


def _part(shape: bytes | None, found: memoryview, n_bytes: int) -> WavPart | None:
    if shape is None or len(shape) < _FORMAT_BYTES:
        raise ValueError("no format before the frames")
    kind, n_channels, rate_hz, _, block, bits = struct.unpack_from("<HHIIHH", shape)
    if kind == _EXTENSIBLE and len(shape) >= _SUBFORMAT_AT + 2:
        (kind,) = struct.unpack_from("<H", shape, _SUBFORMAT_AT)
    width = (bits + 7) // 8
    known = (kind == _WHOLE and 1 <= width <= 4) or (kind == _FLOAT and width in (4, 8))
    if not known:
        return None
    if n_channels < 1 or block != n_channels * width:
        raise ValueError("the size of a frame contradicts its channels")
    whole = found[: len(found) // block * block]
    return WavPart(rate_hz, n_channels, width, kind == _FLOAT, n_bytes // block, whole)
