"""Recordings as they may come in: to one channel of float32 in -1 .. 1, with the sample rate.

WAV (whole numbers of 8 to 32 bits, floats) is read here; FLAC, OGG, MP3 and compressed WAV through
soundfile where the `audio` extra is installed.
"""

from __future__ import annotations

import hashlib
import io
import wave
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from imprint.errors import (
    DecodeError,
    EmptySampleError,
    InvalidInputError,
    SampleTooLargeError,
    UnsupportedMediaError,
)
from imprint.intake.decode_media import (
    DEFAULT_LIMITS,
    DecodeLimits,
    Media,
    megabytes,
    refuse_other_media,
    refused,
    what_is,
)
from imprint.intake.decode_wav import read_wav
from imprint.types import RawItem, Sample, Sound

if TYPE_CHECKING:
    import numpy.typing as npt


class _Reading(NamedTuple):
    """Decoded frames (n_frames, n_channels) in -1 .. 1, and how many the header promised."""

    frames: npt.NDArray[np.float32]
    rate_hz: int
    n_promised: int


def decode_audio_bytes(content: bytes, limits: DecodeLimits = DEFAULT_LIMITS) -> Sample:
    """Decode the bytes of a sound file.

    Raises:
        EmptySampleError: no bytes, or shorter than the limit.
        SampleTooLargeError: more bytes or seconds than the limit.
        UnsupportedMediaError: not a recording, or a format that needs the audio extra.
        DecodeError: truncated or damaged.
    """
    if not content:
        raise refused(
            EmptySampleError, "the sound file has 0 bytes", "send it again", check="audio_bytes"
        )
    if len(content) > limits.audio_bytes:
        what = f"the sound file has {megabytes(len(content))}"
        what += f", the limit is {megabytes(limits.audio_bytes)}"
        raise refused(
            SampleTooLargeError,
            what,
            "cut it to the part that matters",
            check="audio_bytes",
            score=len(content),
            limit=limits.audio_bytes,
        )
    found = what_is(content)
    refuse_other_media(found, "audio")
    reading = _read(content, found, limits)
    if len(reading.frames) < reading.n_promised:
        raise _damaged(found, "is truncated")
    if not np.isfinite(reading.frames).all():
        raise _damaged(found, "holds values that are NaN or infinite")
    notes = [f"{reading.rate_hz} Hz"]
    n_channels = reading.frames.shape[1]
    if n_channels > 1:
        notes.append(f"{n_channels} channels mixed to one")
    mono = np.ascontiguousarray(reading.frames.mean(axis=1, dtype=np.float32))
    raw = RawItem(content, found.media_type)
    value = Sound(np.clip(mono, -1.0, 1.0), reading.rate_hz)
    return Sample("audio", value, hashlib.sha256(content).hexdigest(), raw, tuple(notes))


def sound_as_wav(sound: Sound) -> bytes:
    """A mono WAV of 32-bit PCM of a waveform in -1 .. 1: what retention keeps of an array.

    Raises:
        UnsupportedMediaError: not one row of finite values.
    """
    waveform = np.asarray(sound.waveform)
    if waveform.ndim != 1 or waveform.dtype.kind != "f" or not np.isfinite(waveform).all():
        what = f"the waveform has shape {waveform.shape} and type {waveform.dtype}"
        hint = "send one row of finite floats in -1 .. 1"
        raise refused(UnsupportedMediaError, what, hint, check="array")
    levels = np.clip(waveform.astype(np.float64), -1.0, 1.0) * (2**31 - 1)
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(4)
        file.setframerate(int(sound.rate_hz))
        file.writeframes(np.round(levels).astype("<i4").tobytes())
    return out.getvalue()


def _read(content: bytes, found: Media, limits: DecodeLimits) -> _Reading:
    try:
        wav = _read_wav(content, limits) if found.media_type == "audio/wav" else None
        return wav or _read_other(content, found, limits)
    except InvalidInputError:
        raise
    except Exception:  # noqa: BLE001 - sound readers raise almost anything on damaged bytes
        raise _damaged(found, "is damaged or truncated and cannot be decoded") from None


def _read_wav(content: bytes, limits: DecodeLimits) -> _Reading | None:
    part = read_wav(content)
    if part is None:
        return None
    _check_length(part.n_promised, part.rate_hz, part.n_channels, limits)
    return _Reading(part.frames(), part.rate_hz, part.n_promised)


def _read_other(content: bytes, found: Media, limits: DecodeLimits) -> _Reading:
    try:
        import soundfile  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except (ImportError, OSError):
        what = f"{found.name} of this kind cannot be read by this installation"
        hint = "install the audio extra (pip install 'imprint[audio]'), or send a WAV file"
        raise refused(UnsupportedMediaError, what, hint, check="audio_reader") from None
    with soundfile.SoundFile(io.BytesIO(content)) as file:
        n_frames, rate_hz = int(file.frames), int(file.samplerate)
        _check_length(n_frames, rate_hz, int(file.channels), limits)
        frames = file.read(dtype="float32", always_2d=True)
    return _Reading(frames, rate_hz, n_frames)


def _check_length(n_frames: int, rate_hz: int, n_channels: int, limits: DecodeLimits) -> None:
    slowest, fastest = limits.audio_rates_hz
    if not slowest <= rate_hz <= fastest or not 1 <= n_channels <= limits.audio_channels:
        what = f"the recording has {n_channels} channels at {rate_hz} Hz"
        hint = f"save it with 1 to {limits.audio_channels} channels at {slowest} to {fastest} Hz"
        raise refused(UnsupportedMediaError, what, hint, check="audio_rate_hz", score=rate_hz)
    length_s = n_frames / rate_hz
    if length_s < limits.audio_shortest_s:
        raise refused(
            EmptySampleError,
            f"the recording lasts {length_s:.3g} s, the least is {limits.audio_shortest_s:g} s",
            "record a little longer",
            check="audio_length_s",
            score=length_s,
            limit=limits.audio_shortest_s,
        )
    if length_s > limits.audio_longest_s:
        raise refused(
            SampleTooLargeError,
            f"the recording lasts {length_s:.1f} s, the limit is {limits.audio_longest_s:g} s",
            "cut it to the part that matters",
            check="audio_length_s",
            score=length_s,
            limit=limits.audio_longest_s,
        )


def _damaged(found: Media, how: str) -> DecodeError:
    what = f"the file begins as {found.name} but {how}"
    return refused(DecodeError, what, "save or upload it again", check="audio_intact")
