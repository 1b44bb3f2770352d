"""Recordings over HTTP: taught and asked as multipart files and as base64."""

from __future__ import annotations

import base64
import io
import wave
from typing import TYPE_CHECKING

import numpy as np
import pytest

from serve.problem_checks import problem_in

if TYPE_CHECKING:
    from starlette.testclient import TestClient

HERE = "/v1/collections/voice"
RATE = 16_000


def wav(pitch_hz: float, seconds: float = 0.6) -> bytes:
    at = np.arange(int(RATE * seconds)) / RATE
    levels = 0.3 * np.sin(2 * np.pi * pitch_hz * at) * np.sin(np.pi * at / seconds)
    levels += 0.002 * np.random.default_rng(int(pitch_hz)).normal(size=len(at))
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.round(levels * 32767).astype("<i2").tobytes())
    return out.getvalue()


@pytest.fixture
def voice(client: TestClient) -> TestClient:
    made = client.post("/v1/collections", json={"name": "voice", "modality": "audio"})
    assert made.status_code == 201
    assert made.json()["encoder_version"].startswith("audio-small@")
    return client


def test_a_recording_is_taught_as_a_file_and_asked_as_base64(voice: TestClient) -> None:
    for label, pitch_hz in (("low", 200.0), ("high", 1500.0)):
        taught = voice.post(
            f"{HERE}/supports",
            data={"label": label},
            files={"file": (f"{label}.wav", wav(pitch_hz), "audio/wav")},
        )
        assert taught.status_code in (201, 202), taught.text
    packed = base64.b64encode(wav(1480.0)).decode()
    answer = voice.post(f"{HERE}:classify", json={"data": f"data:audio/wav;base64,{packed}"})
    assert answer.status_code == 200
    assert answer.json()["candidates"][0]["label"] == "high"


def test_what_is_no_recording_is_refused(voice: TestClient) -> None:
    for content, status, code in (
        (b"hello there", 422, "modality_mismatch"),
        (wav(300.0)[:200], 422, "decode_failed"),
    ):
        answer = voice.post(
            f"{HERE}/supports",
            data={"label": "low"},
            files={"file": ("clip.wav", content, "audio/wav")},
        )
        problem_in(answer, status, code)
