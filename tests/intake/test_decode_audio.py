"""Recordings come in as one channel in -1 .. 1 with their rate; soundfile is the oracle."""

import io
import wave

import numpy as np
import pytest

from imprint.errors import (
    DecodeError,
    EmptySampleError,
    InvalidInputError,
    ModalityMismatchError,
    SampleTooLargeError,
    UnsupportedMediaError,
)
from imprint.intake.decode import guess_modality, to_sample
from imprint.types import Sound

RATE = 8000


def tone(seconds=0.5, channels=1):
    at = np.arange(int(RATE * seconds)) / RATE
    return np.stack([0.5 * np.sin(2 * np.pi * (220 + 50 * c) * at) for c in range(channels)], 1)


def wav(frames, width=2, rate=RATE):
    if width == 1:
        levels = np.round(frames * 127 + 128).astype(np.uint8).tobytes()
    elif width == 3:
        whole = np.round(frames * (2**23 - 1)).astype("<i4")
        levels = whole.reshape(-1, 1).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    else:
        levels = np.round(frames * (2 ** (8 * width - 1) - 1)).astype(f"<i{width}").tobytes()
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(frames.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(levels)
    return out.getvalue()


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_pcm_of_every_width_agrees_with_soundfile(width, channels):
    soundfile = pytest.importorskip("soundfile")
    content = wav(tone(channels=channels), width)
    sample = to_sample(content, "audio")
    expected, rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    assert sample.value.rate_hz == rate == RATE
    assert sample.value.waveform.dtype == np.float32
    np.testing.assert_allclose(sample.value.waveform, expected.mean(axis=1), atol=1e-6)
    assert ("2 channels mixed to one" in sample.notes) == (channels == 2)


@pytest.mark.parametrize("kind", ["FLAC", "OGG", "MP3"])
def test_compressed_recordings_are_read_through_soundfile(kind):
    soundfile = pytest.importorskip("soundfile")
    out = io.BytesIO()
    soundfile.write(out, tone(), RATE, format=kind)
    sample = to_sample(out.getvalue(), "audio")
    assert sample.value.rate_hz == RATE
    assert abs(len(sample.value.waveform) - RATE // 2) < 3000


def test_a_float_wav_is_read_through_soundfile():
    soundfile = pytest.importorskip("soundfile")
    out = io.BytesIO()
    soundfile.write(out, tone(), RATE, format="WAV", subtype="FLOAT")
    np.testing.assert_allclose(
        to_sample(out.getvalue(), "audio").value.waveform, tone()[:, 0], atol=1e-6
    )


def test_a_waveform_with_its_rate_is_a_source():
    waveform = tone()[:, 0].astype(np.float32)
    sample = to_sample(Sound(waveform, RATE), "audio")
    np.testing.assert_allclose(sample.value.waveform, waveform, atol=1e-6)
    again = to_sample(sample.raw.content, "audio")
    np.testing.assert_array_equal(again.value.waveform, sample.value.waveform)
    assert to_sample(Sound(waveform.copy(), RATE), "audio").content_hash == sample.content_hash
    assert guess_modality(Sound(waveform, RATE)) == "audio"


def test_lengths_outside_the_limits_are_refused():
    with pytest.raises(EmptySampleError, match=r"0\.01 s"):
        to_sample(wav(tone(0.01)), "audio")
    with pytest.raises(SampleTooLargeError, match=r"61\.0 s"):
        to_sample(wav(tone(61)), "audio")
    with pytest.raises(EmptySampleError, match="0 bytes"):
        to_sample(b"", "audio")
    with pytest.raises(UnsupportedMediaError, match="1000 Hz"):
        to_sample(wav(tone(), rate=1000), "audio")


def test_a_truncated_recording_is_refused():
    content = wav(tone())
    with pytest.raises(DecodeError, match="truncated"):
        to_sample(content[: len(content) // 2], "audio")


def test_what_is_no_recording_is_refused_as_what_it_is():
    with pytest.raises(ModalityMismatchError, match="plain text"):
        to_sample(b"hello", "audio")
    with pytest.raises(UnsupportedMediaError, match="PDF"):
        to_sample(b"%PDF-1.4", "audio")
    with pytest.raises(ModalityMismatchError, match="sample rate"):
        to_sample(np.zeros(1000, np.float32), "audio")
    for waveform in (np.zeros((2, 9), np.float32), np.full(900, np.nan, np.float32)):
        with pytest.raises(InvalidInputError):
            to_sample(Sound(waveform, RATE), "audio")
