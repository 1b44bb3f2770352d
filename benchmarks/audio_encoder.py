"""Accuracy and speed of audio-small on recordings it never heard, against MFCC statistics.

    python benchmarks/audio_encoder.py --data ../shared/data --json figures.json

Every line is episodes of n-way n-shot recognition with class prototypes (one support: the nearest
neighbor), mean accuracy with its 95 % interval over episodes, all encoders on the same episodes.
"""

from __future__ import annotations

import argparse
import json
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imprint.encoders.audio.encoder import SHIPPED, SHIPPED_8_BIT, SoundEncoder
from imprint.encoders.audio.resample import resampled
from imprint.intake.decode import to_sample
from imprint.types import Sound

N_MFCC, N_BANDS, RATE_HZ, WINDOW, HOP = 20, 40, 8_000, 200, 80


@dataclass
class Recordings:
    """Decoded recordings of one set, their classes, and who speaks (one speaker: all the same)."""

    samples: list
    labels: np.ndarray
    speakers: np.ndarray


def digits(root: Path) -> Recordings:
    samples, labels, speakers = [], [], []
    with zipfile.ZipFile(root / "fsdd_spoken_digits" / "recordings.zip") as archive:
        for member in sorted(n for n in archive.namelist() if n.endswith(".wav")):
            digit, speaker, _ = Path(member).stem.split("_")
            samples.append(to_sample(archive.read(member), "audio"))
            labels.append(digit)
            speakers.append(speaker)
    return Recordings(samples, np.array(labels), np.array(speakers))


def environment(root: Path) -> Recordings:
    samples, labels = [], []
    with zipfile.ZipFile(root / "esc10_sounds" / "clips.zip") as archive:
        for member in sorted(n for n in archive.namelist() if n.endswith(".ogg")):
            samples.append(to_sample(archive.read(member), "audio"))
            labels.append(Path(member).parent.name)
    return Recordings(samples, np.array(labels), np.zeros(len(labels)))


def mfcc(sound: Sound) -> np.ndarray:
    """(N_MFCC, n_steps) cepstra at 8 kHz, written out here so that nothing is shared."""
    wave = resampled(sound.waveform, sound.rate_hz, RATE_HZ).astype(np.float64)
    wave = np.pad(wave, (0, max(0, WINDOW - len(wave))))
    frames = np.lib.stride_tricks.sliding_window_view(wave, WINDOW)[::HOP] * np.hamming(WINDOW)
    power = np.abs(np.fft.rfft(frames, 256)) ** 2
    mels = 2595 * np.log10(1 + np.fft.rfftfreq(256, 1 / RATE_HZ) / 700)
    edges = np.linspace(2595 * np.log10(1 + 60 / 700), mels[-1], N_BANDS + 2)
    rise = (mels[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    fall = (edges[2:] - mels[:, None]) / np.diff(edges)[1:]
    bands = np.log(power @ np.maximum(0, np.minimum(rise, fall)) + 1e-10)
    turn = np.cos(np.pi / N_BANDS * np.outer(np.arange(N_MFCC), np.arange(N_BANDS) + 0.5))
    return turn @ bands.T


def statistics(samples: list) -> np.ndarray:
    """The usual baseline: mean and deviation over time of each cepstrum but the loudness."""
    rows = []
    for sample in samples:
        found = mfcc(sample.value)
        rows.append(np.concatenate([found[1:].mean(axis=1), found.std(axis=1)]))
    rows = np.stack(rows)
    return (rows - rows.mean(axis=0)) / (rows.std(axis=0) + 1e-9)


def stretched(samples: list) -> np.ndarray:
    """Cepstra stretched to twelve steps, less their mean: the order of sounds in a word counts."""
    rows = []
    for sample in samples:
        found = mfcc(sample.value)[:13]
        found = found - found.mean(axis=1, keepdims=True)
        places = np.linspace(0, found.shape[1] - 1, 48)
        steps = np.stack([np.interp(places, np.arange(found.shape[1]), one) for one in found])
        rows.append(steps.reshape(13, 12, 4).mean(axis=2).ravel())
    rows = np.stack(rows)
    return (rows - rows.mean(axis=0)) / (rows.std(axis=0) + 1e-9)


def episode(found: Recordings, task: str, n_shot: int, rng) -> tuple[np.ndarray, list[np.ndarray]]:
    """Rows of supports (way, shot) and of queries for each class."""
    names = np.unique(found.labels)
    if task == "mixed":
        drawn = [rng.permutation(np.flatnonzero(found.labels == n)) for n in names]
        return np.stack([d[:n_shot] for d in drawn]), [d[n_shot : n_shot + 15] for d in drawn]
    everyone = np.unique(found.speakers)
    teacher = rng.choice(everyone)
    supports, queries = [], []
    for name in names:
        own = rng.permutation(np.flatnonzero((found.labels == name) & (found.speakers == teacher)))
        others = rng.permutation(
            np.flatnonzero((found.labels == name) & (found.speakers != teacher))
        )
        supports.append(own[:n_shot])
        queries.append((own[n_shot:] if task == "same" else others)[:15])
    return np.stack(supports), queries


def accuracy(vectors: np.ndarray, supports: np.ndarray, queries: list[np.ndarray]) -> float:
    means = vectors[supports].mean(axis=1)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    right = [((vectors[q] @ means.T).argmax(axis=1) == c).mean() for c, q in enumerate(queries)]
    return float(np.mean(right))


def scored(found: Recordings, encoded: dict, tasks, n_episodes: int, seed: int) -> dict:
    lines = {}
    for said, task, n_shot in tasks:
        values = {name: [] for name in encoded}
        for number in range(n_episodes):
            rng = np.random.default_rng([seed, number])
            supports, queries = episode(found, task, n_shot, rng)
            for name, vectors in encoded.items():
                values[name].append(accuracy(vectors, supports, queries))
        lines[said] = {
            name: f"{100 * np.mean(v):.1f} ± {196 * np.std(v) / np.sqrt(len(v)):.1f}"
            for name, v in values.items()
        }
        print(said, lines[said], flush=True)
    return lines


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def encoded_by(encoders: dict, samples: list) -> dict:
    rows = {"MFCC mean and deviation": statistics(samples), "MFCC stretched": stretched(samples)}
    rows |= {name: one.encode(samples) for name, one in encoders.items()}
    return {name: unit(vectors) for name, vectors in rows.items()}


def latency(encoder: SoundEncoder, seconds: float, rate_hz: int) -> dict:
    """Milliseconds of processor time of the one thread that works: others do not count."""
    wave = 0.1 * np.random.default_rng(0).normal(size=round(seconds * rate_hz))
    sample = to_sample(Sound(wave.astype(np.float32), rate_hz), "audio")
    for _ in range(5):
        encoder.encode([sample])
    took = []
    for _ in range(50):
        began = time.thread_time()
        encoder.encode([sample])
        took.append(1000 * (time.thread_time() - began))
    found = np.percentile(took, [50, 10, 90]).round(2)
    return dict(zip(("median_ms", "p10_ms", "p90_ms"), found.tolist(), strict=True))


DIGITS = tuple(
    (f"digits, 10-way {n_shot}-shot, {said}", task, n_shot)
    for task, said in (
        ("mixed", "speakers mixed"),
        ("other", "queries by other speakers"),
        ("same", "same speaker"),
    )
    for n_shot in (1, 5)
)
CLIPS = tuple((f"ESC-10, 5-way {n_shot}-shot", "mixed", n_shot) for n_shot in (1, 5))


def measured(options: argparse.Namespace) -> dict:
    encoders = {name: SoundEncoder.shipped(name) for name in (SHIPPED, SHIPPED_8_BIT)}
    lines = {}
    for read, tasks in ((digits, DIGITS), (environment, CLIPS)):
        if not options.speed_only:
            found = read(options.data)
            rows = encoded_by(encoders, found.samples)
            lines |= scored(found, rows, tasks, options.episodes, options.seed)
    speed = {}
    for name, one in encoders.items():
        for seconds, rate_hz in ((1.0, 16_000), (5.0, 16_000), (5.0, 44_100)):
            speed[f"{name}, {seconds:g} s at {rate_hz} Hz"] = latency(one, seconds, rate_hz)
    return {
        "encoders": [one.version for one in encoders.values()],
        "episodes": options.episodes,
        "accuracy": lines,
        "ms of one thread's processor time": speed,
    }


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="benchmarks/audio_encoder.py", description=__doc__)
    options.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    options.add_argument("--episodes", type=int, default=600)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--speed-only", action="store_true")
    options.add_argument("--json", type=Path, help="where to write the figures")
    return options


def main() -> None:
    options = parser().parse_args()
    figures = measured(options)
    print(json.dumps(figures["ms of one thread's processor time"], indent=2))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
