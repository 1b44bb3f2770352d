"""Recordings through the whole library with the shipped encoder: teach, answer, report, bundle."""

from __future__ import annotations

import io
import wave
from typing import TYPE_CHECKING

import numpy as np
import pytest

import imprint
from imprint.errors import InvalidInputError
from imprint.types import Sound

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RATE = 16_000


def chirp(seed: int, *, rising: bool) -> np.ndarray:
    """A bent tone over a little noise; the seed moves pitch, place and length."""
    rng = np.random.default_rng(seed)
    at = np.arange(int(RATE * rng.uniform(0.5, 0.7))) / RATE
    bend = 1.5 if rising else -0.6
    phase = 2 * np.pi * rng.uniform(550, 650) * at * (1 + bend * at)
    tone = sum(np.sin(k * phase) / k for k in (1, 2, 3)) * np.sin(np.pi * at / at[-1])
    whole = 0.002 * rng.normal(size=RATE)
    first = int(rng.integers(0, RATE - len(tone)))
    whole[first : first + len(tone)] += 0.3 * tone
    return whole.astype(np.float32)


def rattle(seed: int) -> np.ndarray:
    """Short bursts of noise, one every tenth of a second."""
    rng = np.random.default_rng(seed)
    whole = 0.002 * rng.normal(size=RATE)
    for first in range(int(rng.integers(0, 800)), RATE - 400, int(rng.integers(1500, 1700))):
        whole[first : first + 300] += 0.3 * rng.normal(size=300)
    return whole.astype(np.float32)


SOUNDS: dict[str, Callable[[int], np.ndarray]] = {
    "up": lambda seed: chirp(seed, rising=True),
    "down": lambda seed: chirp(seed, rising=False),
    "rattle": rattle,
}


def wav(waveform: np.ndarray) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.round(waveform * 32767).astype("<i2").tobytes())
    return out.getvalue()


@pytest.fixture
def signals(opened: Callable[..., imprint.Workspace]) -> imprint.Collection:
    collection = opened().collection("signals", modality="audio")
    for label, made in SOUNDS.items():
        for seed in range(3):
            collection.teach(label, wav(made(seed)))
    return collection


def test_recordings_are_told_apart_by_the_shipped_encoder(signals: imprint.Collection) -> None:
    assert signals.encoder_version.startswith("audio-small@")
    asked = [(label, made(seed)) for label, made in SOUNDS.items() for seed in range(10, 16)]
    best = [signals.classify(wav(one)).candidates[0].label for _, one in asked]
    assert np.mean([found == label for found, (label, _) in zip(best, asked, strict=True)]) > 0.9


def test_a_waveform_and_its_file_get_the_same_answer(signals: imprint.Collection) -> None:
    levels = np.round(rattle(20) * 32767).astype("<i2") / np.float32(32768)
    from_file = signals.classify(wav(rattle(20)))
    from_array = signals.classify(Sound(levels.astype(np.float32), RATE))
    assert from_file.candidates[0].label == from_array.candidates[0].label
    assert from_file.candidates[0].similarity == pytest.approx(
        from_array.candidates[0].similarity, abs=1e-3
    )


def test_a_report_is_made_of_recordings(signals: imprint.Collection) -> None:
    assert "rattle" in str(signals.report())


def test_a_bundle_answers_as_its_collection(signals: imprint.Collection, tmp_path: Path) -> None:
    path = tmp_path / "signals.imprint"
    signals.export(path)
    query = wav(SOUNDS["up"](30))
    here, there = signals.classify(query), imprint.load(path).classify(query)
    assert (here.decision, here.label, here.confidence) == (
        there.decision,
        there.label,
        there.confidence,
    )


def test_a_recording_too_short_or_too_long_is_refused_with_something_to_do(
    signals: imprint.Collection,
) -> None:
    for seconds, said in ((0.1, "longer"), (31.0, "cut it")):
        silence = np.full(int(seconds * RATE), 0.1, np.float32)
        with pytest.raises(InvalidInputError, match=said):
            signals.teach("up", wav(silence))
