"""What the network hears: log power in mel bands, as torch layers that export to ONNX as they are.

The short-time Fourier transform is a convolution with windowed cosines and sines, so that the graph
needs nothing but convolution, matrix product and logarithm.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

RATE_HZ = 16_000
WINDOW = 400
HOP = 160
N_BANDS = 64
LOWEST_HZ = 50.0
HIGHEST_HZ = 7_800.0
RANGE_LOG10 = 8.0  # what lies further below the loudest moment is silence


def mel(hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Hertz to mel (O'Shaughnessy 1987)."""
    return np.asarray(2595.0 * np.log10(1.0 + hz / 700.0))


def mel_weights() -> npt.NDArray[np.float32]:
    """(n_bins, N_BANDS): overlapping triangles, each of sum one."""
    bins = np.arange(WINDOW // 2 + 1) * RATE_HZ / WINDOW
    lowest, highest = mel(np.array([LOWEST_HZ, HIGHEST_HZ])).tolist()
    edges = np.linspace(lowest, highest, N_BANDS + 2)
    places = mel(bins)[:, None]
    rising = (places - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - places) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    # A low band may lie between two bins; it then takes the nearest.
    for band in np.flatnonzero(triangles.sum(axis=0) == 0):
        triangles[np.abs(places[:, 0] - edges[band + 1]).argmin(), band] = 1.0
    return np.asarray(triangles / triangles.sum(axis=0), dtype=np.float32)


class Front(nn.Module):
    """Waveforms (n, n_frames) at 16 kHz to (n, 1, N_BANDS, n_steps), 10 ms a step.

    Values are log10 power relative to the loudest band of the clip, from -RANGE_LOG10 to 0, so
    that neither the gain nor the number format of a recording matters.
    """

    def __init__(self) -> None:
        super().__init__()
        places = 2 * np.pi * np.outer(np.arange(WINDOW // 2 + 1), np.arange(WINDOW)) / WINDOW
        window = np.hanning(WINDOW + 1)[:-1]
        waves = np.concatenate([np.cos(places) * window, np.sin(places) * window])
        self.register_buffer("waves", torch.from_numpy(waves.astype(np.float32))[:, None])
        self.register_buffer("bands", torch.from_numpy(mel_weights()))

    def power(self, waveform: torch.Tensor) -> torch.Tensor:
        """Mel power (n, n_steps, N_BANDS)."""
        parts = functional.conv1d(waveform[:, None], self.get_buffer("waves"), stride=HOP)
        half = WINDOW // 2 + 1
        square = parts[:, :half] ** 2 + parts[:, half:] ** 2
        return square.transpose(1, 2) @ self.get_buffer("bands")

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        """Relative log power."""
        power = torch.log10(self.power(waveform) + 1e-12)
        relative = power - power.amax(dim=(1, 2), keepdim=True)
        return relative.clamp(min=-RANGE_LOG10).transpose(1, 2)[:, None]
