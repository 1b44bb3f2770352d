"""WAV read without a library: soundfile writes and is the oracle; damaged headers never crash."""

import contextlib
import io
import struct

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
from imprint.intake.decode import to_sample

RATE = 8000


def levels(seconds=0.5, channels=1):
    at = np.arange(int(RATE * seconds)) / RATE
    return np.stack([0.5 * np.sin(2 * np.pi * (220 + 90 * c) * at) for c in range(channels)], 1)


def header(n_bytes, *, kind=1, channels=1, rate=RATE, bits=16, block=None, before=b""):
    block = channels * bits // 8 if block is None else block
    shape = struct.pack("<HHIIHH", kind, channels, rate, rate * block % 2**32, block, bits)
    body = b"fmt " + struct.pack("<I", 16) + shape + before
    return (
        b"RIFF"
        + struct.pack("<I", 0xFFFFFFFF)
        + b"WAVE"
        + body
        + b"data"
        + struct.pack("<I", n_bytes)
    )


def whole_wav(n_bytes=RATE, **shape):
    return header(n_bytes, **shape) + bytes(n_bytes)


@pytest.mark.parametrize("kind", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_plain_kind_agrees_with_soundfile(kind, form, channels):
    soundfile = pytest.importorskip("soundfile")
    out = io.BytesIO()
    soundfile.write(out, levels(channels=channels), RATE, format=form, subtype=kind)
    sample = to_sample(out.getvalue(), "audio")
    expected, _ = soundfile.read(io.BytesIO(out.getvalue()), dtype="float32", always_2d=True)
    np.testing.assert_allclose(sample.value.waveform, expected.mean(axis=1), atol=1e-6)


def test_other_chunks_before_the_frames_are_stepped_over():
    odd = b"LIST" + struct.pack("<I", 5) + b"hello\x00"
    assert len(to_sample(whole_wav(before=odd), "audio").value.waveform) == RATE // 2


def test_a_header_that_promises_more_than_there_is_is_called_truncated():
    for promised in (RATE + 2, 400_000):
        with pytest.raises(DecodeError, match="truncated"):
            to_sample(header(promised) + bytes(RATE), "audio")


def test_a_header_that_promises_gigabytes_is_refused_before_anything_is_read():
    with pytest.raises(SampleTooLargeError, match="limit is 30 s"):
        to_sample(header(0xFFFFFFF0) + bytes(RATE), "audio")


@pytest.mark.parametrize(
    "content",
    [
        header(RATE, channels=0) + bytes(RATE),
        header(RATE, channels=9) + bytes(RATE),
        header(RATE, channels=65535, block=1) + bytes(RATE),
        header(RATE, rate=0) + bytes(RATE),
        header(RATE, rate=4_000_000_000) + bytes(RATE),
        header(RATE, bits=0, block=0) + bytes(RATE),
        header(RATE, bits=64, block=8) + bytes(RATE),
        header(RATE, block=7) + bytes(RATE),
        header(RATE, kind=0x55) + bytes(RATE),
        b"RIFF\x00\x00\x00\x00WAVE",
        b"RIFF\x00\x00\x00\x00WAVEfmt \xff\xff\xff\xff",
        b"RIFF\x00\x00\x00\x00WAVEdata" + struct.pack("<I", 8) + bytes(8),
        b"RIFF\x00\x00\x00\x00WAVE" + b"junk\x00\x00\x00\x00" * 5000,
    ],
)
def test_hostile_headers_are_refused_with_something_to_do(content):
    with pytest.raises(InvalidInputError) as caught:
        to_sample(content, "audio")
    assert caught.value.checks[0].hint


@pytest.mark.parametrize("seed", range(40))
def test_no_flipped_byte_crashes_the_reader(seed):
    rng = np.random.default_rng(seed)
    content = bytearray(whole_wav())
    for at in rng.integers(0, 48, 4):
        content[at] = rng.integers(256)
    with contextlib.suppress(InvalidInputError):
        to_sample(bytes(content), "audio")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_floats_that_are_no_levels_are_refused(value):
    frames = np.full(RATE, 0.1, "<f4")
    frames[77] = value
    content = header(4 * RATE, kind=3, bits=32) + frames.tobytes()
    with pytest.raises(DecodeError, match="NaN or infinite"):
        to_sample(content, "audio")


def test_lengths_that_cannot_be_learnt_from_are_refused_with_the_limit():
    with pytest.raises(EmptySampleError, match=r"0\.1 s, the least is 0\.12 s; record"):
        to_sample(whole_wav(int(RATE * 0.1) * 2), "audio")
    with pytest.raises(SampleTooLargeError, match=r"31\.0 s, the limit is 30 s; cut"):
        to_sample(whole_wav(RATE * 31 * 2), "audio")
    with pytest.raises(EmptySampleError, match="0 s"):
        to_sample(whole_wav(0), "audio")
    assert to_sample(whole_wav(RATE * 30 * 2), "audio").value.rate_hz == RATE


@pytest.mark.parametrize("rate", [4_000, 44_056, 96_000, 192_000])
def test_unusual_rates_come_in(rate):
    assert to_sample(whole_wav(rate, rate=rate), "audio").value.rate_hz == rate


def test_another_kind_of_file_under_a_sound_name_is_told_as_what_it_is(tmp_path):
    for content, error, said in (
        (b"\x89PNG\r\n\x1a\n" + bytes(64), ModalityMismatchError, "PNG image"),
        (b"just a note to myself", ModalityMismatchError, "plain text"),
        (b"\x1aE\xdf\xa3" + bytes(64), UnsupportedMediaError, "WebM"),
        (bytes(range(200, 256)) * 4, UnsupportedMediaError, "unknown format"),
    ):
        path = tmp_path / "clip.wav"
        path.write_bytes(content)
        with pytest.raises(error, match=said):
            to_sample(path, "audio")


def test_without_soundfile_a_flac_says_which_extra_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "soundfile", None)
    with pytest.raises(UnsupportedMediaError, match=r"imprint\[audio\]"):
        to_sample(b"fLaC" + bytes(64), "audio")
    assert to_sample(whole_wav(), "audio").value.rate_hz == RATE
