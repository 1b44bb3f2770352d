"""Invented sounds that are not speech: a timbre, and a pattern in time it is heard in.

A sound class is a drawn pair of both; a rendition changes pitch, timing, number of events and the
noise behind. Timbres: ringing bodies, bands of noise, calls whose pitch bends, sweeps, clicks,
steady tones that waver. Patterns: once, a few times, evenly, at random, all the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from imprint.types import Waveform

Floats = npt.NDArray[np.float32]

RATE_HZ = 16_000
TIMBRES = ("body", "band", "call", "sweep", "click", "waver")
PATTERNS = ("once", "few", "even", "random", "dense", "steady")


@dataclass(frozen=True, slots=True)
class SoundClass:
    """What makes a sound this sound."""

    timbre: str
    pattern: str
    pitch_hz: float
    partials: tuple[float, ...]  # ratio to the pitch
    weights: tuple[float, ...]
    attack_s: float
    decay_s: float
    bend: tuple[float, float, float]  # log pitch at beginning, middle and end of an event
    waver_hz: float
    waver_depth: float
    rough: float  # share of noise in a call
    colors: tuple[float, ...]  # log gain at six points of the spectrum
    period_s: float


def draw_sound(rng: np.random.Generator) -> SoundClass:
    """A class of sounds."""
    timbre = TIMBRES[int(rng.integers(len(TIMBRES)))]
    harmonic = timbre in ("call", "waver", "sweep")
    n_partials = int(rng.integers(4, 18)) if harmonic else int(rng.integers(2, 9))
    ratios = (
        np.arange(1, n_partials + 1) * 1.0
        if harmonic
        else np.sort(np.exp(rng.uniform(0, np.log(12), n_partials)))
    )
    roll = float(rng.uniform(0.2, 1.6))
    weights = ratios**-roll * np.exp(0.7 * rng.normal(size=n_partials))
    short = timbre in ("click", "body")
    return SoundClass(
        timbre=timbre,
        pattern=PATTERNS[int(rng.integers(len(PATTERNS)))],
        pitch_hz=float(np.exp(rng.uniform(np.log(90), np.log(2500)))),
        partials=tuple(ratios.tolist()),
        weights=tuple(weights.tolist()),
        attack_s=float(np.exp(rng.uniform(np.log(0.001), np.log(0.02 if short else 0.15)))),
        decay_s=float(np.exp(rng.uniform(np.log(0.006), np.log(0.25 if short else 0.6)))),
        bend=tuple(rng.normal(0, 0.35, 3).tolist()),
        waver_hz=float(np.exp(rng.uniform(np.log(2), np.log(40)))),
        waver_depth=float(rng.uniform(0, 0.9)),
        rough=float(rng.uniform(0, 1) ** 3),
        colors=tuple(rng.normal(0, 1.2, 6).tolist()),
        period_s=float(np.exp(rng.uniform(np.log(0.08), np.log(1.2)))),
    )


def play(sound: SoundClass, length_s: float, rng: np.random.Generator) -> Waveform:
    """One rendition of the given length at 16 kHz, largest value about one."""
    n = round(length_s * RATE_HZ)
    wave = np.zeros(n + 4 * RATE_HZ, np.float32)
    pitch_hz = sound.pitch_hz * float(np.exp(0.1 * rng.normal()))
    kept = [_event(sound, pitch_hz, rng) for _ in range(3)]
    for start_s in _starts(sound, length_s, rng):
        event = kept[int(rng.integers(len(kept)))] * np.float32(np.exp(0.25 * rng.normal()))
        at = int(start_s * RATE_HZ)
        wave[at : at + len(event)] += event
    wave = _colored(wave[:n], sound.colors, rng)
    return wave / max(float(np.abs(wave).max()), 1e-6)


def _starts(sound: SoundClass, length_s: float, rng: np.random.Generator) -> Floats:
    period_s = sound.period_s * float(np.exp(0.15 * rng.normal()))
    if sound.pattern in ("once", "few"):
        n = 1 if sound.pattern == "once" else int(rng.integers(2, 5))
        first = rng.uniform(0, max(length_s - 0.3, 0.05) * (0.8 if n == 1 else 0.4))
        gaps = period_s * np.exp(0.2 * rng.normal(size=n))
        starts = first + np.cumsum(gaps) - gaps[0]
    elif sound.pattern == "even":
        steady = np.arange(rng.uniform(0, period_s), length_s, period_s)
        starts = steady + 0.02 * period_s * rng.normal(size=len(steady))
    elif sound.pattern == "steady":
        starts = np.arange(0, length_s, max(0.6 * (sound.attack_s + sound.decay_s), 0.02))
    else:
        rate_hz = (1 if sound.pattern == "random" else 12) / period_s
        n = int(np.clip(rng.poisson(min(rate_hz, 80) * length_s), 1, 300))
        starts = np.sort(rng.uniform(0, length_s, n))
    return np.asarray(starts[(starts >= 0) & (starts < length_s)], dtype=np.float32)


def _event(sound: SoundClass, pitch_hz: float, rng: np.random.Generator) -> Floats:
    stretch = float(np.exp(0.15 * rng.normal()))
    attack_s, decay_s = sound.attack_s * stretch, sound.decay_s * stretch
    n = int(min(attack_s + 3 * decay_s, 1.8) * RATE_HZ) + 32
    time_s = np.asarray(np.arange(n) / RATE_HZ, dtype=np.float32)
    fall = np.exp(-np.maximum(time_s - attack_s, 0) / decay_s)
    envelope = np.asarray(fall * np.minimum(time_s / max(attack_s, 1e-4), 1.0), dtype=np.float32)
    if sound.timbre == "click":
        return np.asarray(envelope * rng.normal(size=n), dtype=np.float32)
    if sound.timbre == "band":
        return np.asarray(envelope * _band(sound, pitch_hz, n, rng), dtype=np.float32)
    if sound.timbre == "body":
        return _ringing(sound, pitch_hz, time_s, envelope, rng)
    return np.asarray(envelope * _voiced(sound, pitch_hz, n, rng), dtype=np.float32)


def _band(sound: SoundClass, pitch_hz: float, n: int, rng: np.random.Generator) -> Floats:
    spectrum = np.fft.rfft(rng.normal(size=n))
    away = np.log2(np.maximum(np.fft.rfftfreq(n, 1 / RATE_HZ), 20) / (2 * pitch_hz))
    shaped = np.fft.irfft(spectrum * np.exp(-0.5 * (away / (0.15 + sound.waver_depth)) ** 2), n)
    time_s = np.arange(n) / RATE_HZ
    flutter = 1 + sound.rough * np.sin(2 * np.pi * sound.waver_hz * time_s)
    return np.asarray(shaped * flutter / (shaped.std() + 1e-6), dtype=np.float32)


def _ringing(
    sound: SoundClass, pitch_hz: float, time_s: Floats, envelope: Floats, rng: np.random.Generator
) -> Floats:
    wave = np.zeros_like(time_s)
    for ratio, weight in zip(sound.partials, sound.weights, strict=True):
        partial_hz = pitch_hz * ratio * float(np.exp(0.01 * rng.normal()))
        if partial_hz < RATE_HZ / 2:
            faster = np.exp(-time_s * (ratio - 1) * 0.3 / sound.decay_s)
            wave += weight * faster * np.sin(2 * np.pi * partial_hz * time_s + rng.uniform(0, 6))
    return np.asarray(wave * envelope, dtype=np.float32)


def _voiced(sound: SoundClass, pitch_hz: float, n: int, rng: np.random.Generator) -> Floats:
    along = np.linspace(0, 1, n)
    time_s = np.arange(n) / RATE_HZ
    scale = 2.0 if sound.timbre == "sweep" else 0.6 if sound.timbre == "call" else 0.1
    bend = scale * np.interp(along, [0, 0.5, 1], np.array(sound.bend) + 0.08 * rng.normal(size=3))
    if sound.timbre == "waver":
        bend = bend + 0.08 * sound.waver_depth * np.sin(2 * np.pi * sound.waver_hz * time_s)
    phase = 2 * np.pi * np.cumsum(pitch_hz * np.exp(bend)) / RATE_HZ
    highest_hz = pitch_hz * float(np.exp(bend.max()))
    wave = np.zeros(n)
    for ratio, weight in zip(sound.partials, sound.weights, strict=True):
        if ratio * highest_hz < RATE_HZ / 2:
            wave += weight * np.sin(ratio * phase)
    wave /= wave.std() + 1e-6
    if sound.timbre == "waver":
        wave *= 1 + sound.waver_depth * np.sin(2 * np.pi * sound.waver_hz * time_s)
    wave = (1 - sound.rough) * wave + sound.rough * _band(sound, pitch_hz, n, rng)
    return np.asarray(wave, dtype=np.float32)


def _colored(wave: Waveform, colors: tuple[float, ...], rng: np.random.Generator) -> Waveform:
    """Through a body with a spectrum of its own, a little different each time."""
    n = len(wave)
    hz = np.maximum(np.fft.rfftfreq(n, 1 / RATE_HZ), 60)
    points = np.log2(np.geomspace(100, 8000, len(colors)))
    gains = np.array(colors) + 0.15 * rng.normal(size=len(colors))
    gain = np.exp(np.interp(np.log2(hz), points, gains))
    return np.fft.irfft(np.fft.rfft(wave) * gain, n).astype(np.float32)
