"""Changes to a recording that leave its class as it is: shift, noise, speed, room, channel, masks.

Waveforms are (n_frames,) float32; pictures of sound are (n_bands, n_steps), log power. Every
function returns a new array and draws from the `rng` it is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from imprint.types import Waveform

Picture = npt.NDArray[np.float32]  # (n_bands, n_steps) log power

_LOWEST_HZ = 60.0


def shifted(waveform: Waveform, n_frames: int) -> Waveform:
    """Later by `n_frames` (earlier when negative); what falls out is lost, silence comes in."""
    moved = np.zeros_like(waveform)
    if n_frames >= 0:
        moved[n_frames:] = waveform[: len(waveform) - n_frames] if n_frames < len(waveform) else 0
    else:
        moved[:n_frames] = waveform[-n_frames:]
    return moved


def with_noise(
    waveform: Waveform, snr_db: float, rng: np.random.Generator, *, slope: float = 0.0
) -> Waveform:
    """Add noise so that signal power over noise power is exactly `snr_db`.

    Power is the mean over the whole waveform. `slope` colors the noise: power falls with frequency
    to that exponent (0 white, 1 pink, 2 brown). A silent waveform stays as it is.
    """
    n = len(waveform)
    power = float(np.mean(np.square(waveform, dtype=np.float64)))
    if power == 0.0:
        return waveform.copy()
    noise = rng.normal(size=n)
    if slope and n > 1:
        spectrum = np.fft.rfft(noise)
        spectrum[1:] *= np.arange(1, len(spectrum)) ** (-slope / 2)
        spectrum[0] = 0
        noise = np.fft.irfft(spectrum, n)
    noise *= np.sqrt(power / 10 ** (snr_db / 10) / max(float(np.mean(noise**2)), 1e-20))
    return (waveform + noise).astype(np.float32)


def at_speed(waveform: Waveform, factor: float) -> Waveform:
    """Played `factor` times as fast: shorter and higher for factors above one, as a tape would be.

    Raises:
        ValueError: the factor is not above zero.
    """
    if not factor > 0:
        raise ValueError(f"the speed factor must be above 0, got {factor}")
    n = max(1, round(len(waveform) / factor))
    places = np.arange(n) * factor
    return np.asarray(np.interp(places, np.arange(len(waveform)), waveform), dtype=np.float32)


def in_a_room(
    waveform: Waveform, rate_hz: int, decay_s: float, wet_ratio: float, rng: np.random.Generator
) -> Waveform:
    """With an echo that falls by 60 dB in `decay_s`; `wet_ratio` is echo power over direct power.

    As long as before: the tail after the end is cut.
    """
    n_echo = max(2, int(decay_s * rate_hz))
    fall = np.exp(-6.9 * np.arange(n_echo) / n_echo)
    echo = rng.normal(size=n_echo) * fall
    echo[: int(0.003 * rate_hz)] = 0
    echo *= np.sqrt(wet_ratio / max(float(np.sum(echo**2)), 1e-20))
    echo[0] = 1.0
    size = 1 << int(np.ceil(np.log2(len(waveform) + n_echo)))
    both = np.fft.irfft(np.fft.rfft(waveform, size) * np.fft.rfft(echo, size), size)
    return both[: len(waveform)].astype(np.float32)


def through_a_channel(
    waveform: Waveform,
    rate_hz: int,
    rng: np.random.Generator,
    *,
    spread_db: float = 5.0,
    lowest_hz: float = 0.0,
    highest_hz: float | None = None,
) -> Waveform:
    """Through a microphone of its own: uneven by `spread_db`, deaf outside lowest .. highest."""
    n = len(waveform)
    hz = np.fft.rfftfreq(n, 1 / rate_hz)
    knots = np.log2(np.geomspace(_LOWEST_HZ, rate_hz / 2, 7))
    uneven = np.interp(np.log2(np.maximum(hz, _LOWEST_HZ)), knots, rng.normal(0, spread_db, 7))
    gain = 10 ** (uneven / 20)
    if lowest_hz > 0:
        gain /= np.sqrt(1 + (lowest_hz / np.maximum(hz, 1.0)) ** 6)
    if highest_hz is not None:
        gain /= np.sqrt(1 + (hz / highest_hz) ** 40)
    return np.fft.irfft(np.fft.rfft(waveform) * gain, n).astype(np.float32)


def time_masked(picture: Picture, rng: np.random.Generator, *, most: int, fill: float) -> Picture:
    """SpecAugment's time mask (Park et al. 2019): up to `most` steps in a row set to `fill`."""
    width = int(rng.integers(0, min(most, picture.shape[1]) + 1))
    first = int(rng.integers(0, picture.shape[1] - width + 1))
    masked = picture.copy()
    masked[:, first : first + width] = fill
    return masked


def band_masked(picture: Picture, rng: np.random.Generator, *, most: int, fill: float) -> Picture:
    """SpecAugment's frequency mask: up to `most` neighboring bands set to `fill`."""
    width = int(rng.integers(0, min(most, picture.shape[0]) + 1))
    first = int(rng.integers(0, picture.shape[0] - width + 1))
    masked = picture.copy()
    masked[first : first + width] = fill
    return masked
