"""From any sample rate to another by the spectrum: numpy only, the same bits on every run.

The waveform is padded with silence to a length that has a whole number of frames at both rates,
its spectrum is cut (or extended by nothing) and brought back. The last twentieth of the band fades
out, so that a cut in the spectrum does not ring in time.
"""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from imprint.types import Waveform

_PADDING_S = 0.02
_FADE_RATIO = 0.05


def resampled(waveform: Waveform, from_hz: int, to_hz: int) -> Waveform:
    """The same sound with another number of frames a second, (round(n * to / from),) float32.

    What lies above half the lower rate is lost. Time is kept exactly: the frame at second `t` of
    one is the frame at second `t` of the other.
    """
    if from_hz == to_hz:
        return np.ascontiguousarray(waveform, dtype=np.float32)
    step = gcd(from_hz, to_hz)
    block_from, block_to = from_hz // step, to_hz // step
    n_padded = len(waveform) + int(_PADDING_S * from_hz)
    n_blocks = _smooth_number(-(-n_padded // block_from))
    padded = np.zeros(n_blocks * block_from, dtype=np.float64)
    padded[: len(waveform)] = waveform
    spectrum = np.fft.rfft(padded)
    n_to = n_blocks * block_to
    kept = np.zeros(n_to // 2 + 1, dtype=np.complex128)
    n_kept = min(len(kept), len(spectrum))
    kept[:n_kept] = spectrum[:n_kept]
    n_fade = int(n_kept * _FADE_RATIO)
    if n_fade > 1:
        kept[n_kept - n_fade : n_kept] *= 0.5 + 0.5 * np.cos(np.linspace(0, np.pi, n_fade))
    sound = np.fft.irfft(kept, n_to) * (n_to / len(padded))
    n_frames = max(1, round(len(waveform) * to_hz / from_hz))
    return np.ascontiguousarray(sound[:n_frames], dtype=np.float32)


def _smooth_number(least: int) -> int:
    """The smallest number from `least` on without a prime factor above five: fast to transform."""
    number = least
    while True:
        rest = number
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return number
        number += 1
