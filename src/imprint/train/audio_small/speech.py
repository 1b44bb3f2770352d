"""Invented words spoken by invented voices: a source-filter synthesizer in numpy.

A word is a row of phones drawn at random, so there are as many classes as one likes and none comes
from a recording. A voice is a vocal tract length, a pitch, a pace and a way of slurring; the same
word in many voices is what an encoder of voice commands has to see as one thing. Excitation (pulses
and noise) is shaped frame by frame by the resonances of the tract (Fant 1960; Klatt 1980, here with
magnitudes only, because the encoder hears no phase).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from imprint.types import Waveform

Floats = npt.NDArray[np.float32]

RATE_HZ = 16_000
_HOP = 80
_WINDOW = 320
_FFT = 512
_BINS_HZ = np.fft.rfftfreq(_FFT, 1 / RATE_HZ).astype(np.float32)
_SCHWA_HZ = (500.0, 1500.0, 2500.0)
_UPPER_HZ = (3500.0, 4500.0, 5500.0, 6500.0)
_SWALLOWED = 0.15  # how often the last phone is hardly heard
_WIDTHS_HZ = np.array([70, 90, 130, 200, 260, 330, 400], np.float32)

# First, second and third resonance of an adult's vowels, roughly; a class moves them about.
_VOWELS_HZ = (
    *((280, 2250, 2950), (400, 1950, 2550), (540, 1800, 2500), (680, 1700, 2450)),
    *((740, 1150, 2450), (600, 900, 2450), (450, 850, 2400), (310, 900, 2300)),
    *((500, 1450, 2450), (490, 1350, 1700), (640, 1220, 2400), (290, 1700, 2200)),
)
_GLIDES_HZ = ((300, 700, 2250), (280, 2200, 3000), (340, 1100, 1600), (360, 1000, 2650))
_NASALS_HZ = ((260, 1050, 2200), (260, 1550, 2600), (260, 2000, 2700))
# Where the second resonance points at while the lips, the tongue's tip or its back close.
_PLACES = ((900.0, 900.0, 1.6), (1750.0, 4200.0, 0.8), (2100.0, 2200.0, 0.6))
# Center of the hiss, its width in octaves, its level against a vowel, the locus.
_HISSES = (
    *((6200.0, 0.45, 0.30, 1700.0), (3300.0, 0.55, 0.32, 1900.0)),
    *((5000.0, 1.6, 0.06, 1000.0), (5500.0, 1.4, 0.05, 1500.0), (1500.0, 1.2, 0.12, 1400.0)),
)


class Segment(NamedTuple):
    """A stretch of even targets: resonances, and how loud pulses, breath and hiss are."""

    length_s: float
    formants_hz: tuple[float, float, float]
    voiced: float = 0.0
    breath: float = 0.0
    hiss: float = 0.0
    hiss_hz: float = 3000.0
    hiss_octaves: float = 1.0


Word = tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Voice:
    """Who speaks, and how this time."""

    tract: float
    pitch_hz: float
    pitch_fall: float
    pace: float
    tilt: float
    breath: float
    width: float
    blur_s: float
    slur: float
    accent: tuple[float, float, float]  # on each resonance, as a factor
    hush: float  # on hiss and breath against the voice, as a factor


def draw_voice(rng: np.random.Generator) -> Voice:
    """Men, women and children, close and far from any one of them."""
    size = rng.normal()
    return Voice(
        tract=float(np.exp(0.11 * size + 0.05 * rng.normal())),
        pitch_hz=float(np.clip(145 * np.exp(0.28 * size + 0.22 * rng.normal()), 65, 420)),
        pitch_fall=float(rng.normal(-0.15, 0.2)),
        pace=float(np.exp(0.25 * rng.normal())),
        tilt=float(rng.uniform(0.4, 1.6)),
        breath=float(rng.uniform(0.0, 0.25) ** 1.5),
        width=float(np.exp(0.3 * rng.normal())),
        blur_s=float(rng.uniform(0.03, 0.09)),
        slur=float(rng.uniform(0.0, 0.3)),
        accent=tuple(np.exp(rng.normal(0, (0.08, 0.07, 0.04))).tolist()),
        hush=float(np.exp(0.4 * rng.normal())),
    )


def draw_word(rng: np.random.Generator) -> Word:
    """One to three syllables of up to two consonants, a vowel or two, up to two consonants."""
    n_syllables = int(rng.choice([1, 2, 3], p=[0.6, 0.32, 0.08]))
    phones: list[Segment] = []
    for syllable in range(n_syllables):
        stress = 1.0 if syllable == 0 else float(rng.uniform(0.55, 1.1))
        n_before = int(rng.choice([0, 1, 2], p=[0.12, 0.68, 0.2]))
        n_after = int(rng.choice([0, 1, 2], p=[0.35, 0.5, 0.15]))
        for _ in range(n_before):
            phones += _consonant(rng)
        phones += _nucleus(rng, stress)
        for _ in range(n_after):
            phones += _consonant(rng)
    return tuple(phones)


def _moved(
    formants_hz: tuple[float, ...], rng: np.random.Generator, spread: float
) -> tuple[float, float, float]:
    first, second, third = (float(f * np.exp(spread * rng.normal())) for f in formants_hz)
    return first, max(second, first + 150.0), max(third, second + 250.0)


def _nucleus(rng: np.random.Generator, stress: float) -> list[Segment]:
    picked = rng.choice(len(_VOWELS_HZ), 2, replace=False)
    length_s = float(rng.uniform(0.08, 0.22)) * stress
    first = _moved(_VOWELS_HZ[picked[0]], rng, 0.05)
    if rng.random() < 0.6:
        return [Segment(length_s, first, voiced=stress)]
    second = _moved(_VOWELS_HZ[picked[1]], rng, 0.05)
    share = float(rng.uniform(0.4, 0.65))
    return [
        Segment(length_s * 1.3 * share, first, voiced=stress),
        Segment(length_s * 1.3 * (1 - share), second, voiced=stress * 0.85),
    ]


def _consonant(rng: np.random.Generator) -> list[Segment]:
    kind = rng.choice(4, p=[0.34, 0.3, 0.16, 0.2])
    if kind == 0:
        return _stop(rng)
    if kind == 1:
        return [_fricative(rng, float(rng.uniform(0.06, 0.14)))]
    bank, level = (_NASALS_HZ, 0.4) if kind == 2 else (_GLIDES_HZ, 0.6)
    target = _moved(bank[int(rng.integers(len(bank)))], rng, 0.05)
    return [Segment(float(rng.uniform(0.05, 0.1)), target, voiced=level)]


def _stop(rng: np.random.Generator) -> list[Segment]:
    locus_hz, burst_hz, octaves = _PLACES[int(rng.integers(3))]
    voiced = rng.random() < 0.45
    shape = (300.0, locus_hz, 2500.0)
    closed = Segment(float(rng.uniform(0.04, 0.09)), shape, voiced=0.08 if voiced else 0.0)
    burst_hz *= float(np.exp(0.1 * rng.normal()))
    burst = Segment(0.012, shape, hiss=0.3, hiss_hz=burst_hz, hiss_octaves=octaves)
    if voiced:
        return [closed, burst]
    if rng.random() < 0.2:
        return [closed, burst, _fricative(rng, 0.07)]
    return [closed, burst, Segment(float(rng.uniform(0.02, 0.06)), shape, breath=0.15)]


def _fricative(rng: np.random.Generator, length_s: float) -> Segment:
    hiss_hz, octaves, level, locus_hz = _HISSES[int(rng.integers(len(_HISSES)))]
    return Segment(
        length_s,
        (350.0, locus_hz, 2550.0),
        voiced=0.15 if rng.random() < 0.35 else 0.0,
        hiss=level * float(np.exp(0.2 * rng.normal())),
        hiss_hz=hiss_hz * float(np.exp(0.08 * rng.normal())),
        hiss_octaves=octaves,
    )


def speak(word: Word, voice: Voice, rng: np.random.Generator) -> Waveform:
    """One rendition at 16 kHz, largest value about one; timing and targets differ every time."""
    tracks = _tracks(word, voice, rng)
    n_frames = len(tracks)
    formants, levels = tracks[:, :3] * np.array(voice.accent, np.float32), tracks[:, 3:6]
    tract = _tract(formants, voice, rng)
    loud = tract / np.sqrt((tract**2).mean(axis=1, keepdims=True))
    tilt = (np.maximum(_BINS_HZ, 100) / 100) ** -voice.tilt
    pulsed = tract * tilt
    pulsed /= np.sqrt((pulsed**2).mean(axis=1, keepdims=True))
    hiss = _hiss(tracks[:, 6], tracks[:, 7], voice)
    noise = rng.normal(size=(n_frames + 3) * _HOP).astype(np.float32)
    airy = levels[:, 1:2] + levels[:, :1] * voice.breath
    spectrum = _framed(_pulses(n_frames, voice, rng)) * (levels[:, :1] * pulsed)
    spectrum += _framed(noise) * (airy * loud + levels[:, 2:3] * hiss)
    return _joined(spectrum)


def _tracks(word: Word, voice: Voice, rng: np.random.Generator) -> Floats:
    """(n_frames, 8): three resonances, three levels, log of the hiss's center, its width."""
    rows: list[Floats] = []
    for number, one in enumerate(word):
        length_s = one.length_s / voice.pace * float(np.exp(0.22 * rng.normal()))
        n_frames = max(2, round(length_s * RATE_HZ / _HOP))
        shape = np.array(one.formants_hz) * np.exp(0.05 * rng.normal(size=3))
        shape = shape * (1 - voice.slur) + np.array(_SCHWA_HZ) * voice.slur
        level = np.exp(0.2 * rng.normal(size=3)) * (1.0, voice.hush, voice.hush)
        levels = np.array([one.voiced, one.breath, one.hiss]) * level
        if number == len(word) - 1 and rng.random() < _SWALLOWED:
            levels *= 0.2
        row = [*shape, *levels, np.log2(one.hiss_hz), one.hiss_octaves]
        rows.append(np.repeat(np.array([row], np.float32), n_frames, axis=0))
    tracks = np.concatenate([rows[0][:1].repeat(3, axis=0), *rows, rows[-1][-1:].repeat(6, axis=0)])
    tracks[:3, 3:6] = 0
    tracks[-6:, 3:6] = 0
    tracks[:, :3] = _smooth(tracks[:, :3], voice.blur_s)
    tracks[:, 3:6] = _smooth(tracks[:, 3:6], 0.02)
    return tracks


def _smooth(rows: Floats, over_s: float) -> Floats:
    half = max(1, round(over_s * RATE_HZ / _HOP / 2))
    kernel = np.hanning(2 * half + 3)[1:-1]
    kernel /= kernel.sum()
    padded = np.pad(rows, ((half, half), (0, 0)), mode="edge")
    columns = [np.convolve(column, kernel, mode="valid") for column in padded.T]
    return np.stack(columns, axis=1).astype(np.float32)


def _tract(formants: Floats, voice: Voice, rng: np.random.Generator) -> Floats:
    """Magnitude of seven resonances in a row, frames by bins."""
    upper = np.array(_UPPER_HZ, np.float32) * np.exp(0.04 * rng.normal(size=4)).astype(np.float32)
    n_frames = len(formants)
    centers = np.concatenate([formants, np.broadcast_to(upper, (n_frames, 4))], axis=1)
    centers = centers * np.float32(voice.tract)
    widths = _WIDTHS_HZ * np.float32(voice.width)
    square = _BINS_HZ**2
    power = np.ones((n_frames, len(_BINS_HZ)), np.float32)
    for i in range(centers.shape[1]):
        peak = centers[:, i : i + 1] ** 2
        power *= peak**2 / ((peak - square) ** 2 + (widths[i] ** 2) * square)
    return np.sqrt(power)


def _hiss(center: Floats, octaves: Floats, voice: Voice) -> Floats:
    away = np.log2(np.maximum(_BINS_HZ, 50)) - (center + 0.5 * np.log2(voice.tract))[:, None]
    shape = np.exp(-0.5 * (away / octaves[:, None]) ** 2).astype(np.float32)
    power = (shape**2).mean(axis=1, keepdims=True)
    return np.asarray(shape / np.sqrt(power + 1e-6), dtype=np.float32)


def _pulses(n_frames: int, voice: Voice, rng: np.random.Generator) -> Floats:
    n = (n_frames + 3) * _HOP
    along = np.linspace(0, 1, n)
    knots = rng.normal(0, 0.06, 6)
    bend = np.interp(along, np.linspace(0, 1, 6), knots) + voice.pitch_fall * along
    phase = np.cumsum(voice.pitch_hz * np.exp(bend) / RATE_HZ)
    starts = np.flatnonzero(np.diff(np.floor(phase)) > 0)
    pulses = np.zeros(n, np.float32)
    # A pulse holds the same power whatever the pitch, as noise of variance one does.
    height = np.sqrt(RATE_HZ / voice.pitch_hz)
    pulses[starts] = height * np.exp(0.08 * rng.normal(size=len(starts)))
    return pulses


def _framed(wave: Floats) -> npt.NDArray[np.complex64]:
    frames = np.lib.stride_tricks.sliding_window_view(wave, _WINDOW)[::_HOP]
    window = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
    return np.fft.rfft(frames * window, _FFT).astype(np.complex64)


def _joined(spectrum: npt.NDArray[np.complex64]) -> Waveform:
    frames = np.fft.irfft(spectrum, _FFT).astype(np.float32)
    wave = np.zeros((len(frames) - 1) * _HOP + _FFT, np.float32)
    for i, frame in enumerate(frames):
        wave[i * _HOP : i * _HOP + _FFT] += frame
    return wave / max(float(np.abs(wave).max()), 1e-6)
