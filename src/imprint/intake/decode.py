"""From whatever a caller holds to a sample of one modality, or a refusal that says why.

A source is a path, bytes, a text, a picture (Pillow), an array of pixels, or a `Sound`. For text a
`str` is the text itself and a `pathlib.Path` a file of UTF-8; for images and recordings both are
files. Nothing but leaves of `InvalidInputError` escapes, whatever the bytes.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imprint.errors import InvalidInputError, ModalityMismatchError, SampleTooLargeError
from imprint.intake.decode_audio import decode_audio_bytes, sound_as_wav
from imprint.intake.decode_image import check_size, decode_image_bytes, decode_picture
from imprint.intake.decode_media import (
    DEFAULT_LIMITS,
    TAKES,
    DecodeLimits,
    megabytes,
    refused,
    what_is,
)
from imprint.intake.decode_pixels import hash_of_array, picture_of_array, png_of
from imprint.intake.decode_text import decode_text, decode_text_bytes
from imprint.types import RawItem, Sample, Sound

if TYPE_CHECKING:
    from PIL.Image import Image

    from imprint.types import Modality

    Source = str | bytes | bytearray | memoryview | os.PathLike[str] | Image | np.ndarray | Sound

__all__ = ["DecodeLimits", "guess_modality", "to_sample"]

_IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".avif", ".ppm", ".pgm"),
)
_AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".mp3")
_PEEKED_BYTES = 4096


def to_sample(
    source: Source | RawItem | Sample,
    modality: Modality,
    *,
    media_type: str | None = None,
    limits: DecodeLimits = DEFAULT_LIMITS,
) -> Sample:
    """Decode a source for a collection of the given modality.

    `media_type` is what the sender declared; it only helps to explain a refusal. The bytes decide.

    Raises:
        InvalidInputError: one of its leaves, with `checks` that say what was measured.
    """
    if isinstance(source, RawItem):
        declared = media_type or source.media_type
        return _from_bytes(source.content, modality, limits, declared)
    if isinstance(source, Sample):
        if source.modality == modality:
            return source
        raise _wrong_modality(f"a sample of modality {source.modality}", modality)
    if isinstance(source, bytes | bytearray | memoryview):
        return _from_bytes(bytes(source), modality, limits, media_type)
    if isinstance(source, str) and modality == "text":
        return decode_text(source, limits)
    if isinstance(source, str | os.PathLike):
        content = _read_file(source, modality, limits)
        return _from_bytes(content, modality, limits, media_type)
    return _from_object(source, modality, limits)


def _from_bytes(
    content: bytes, modality: Modality, limits: DecodeLimits, declared: str | None
) -> Sample:
    try:
        if modality == "text":
            return decode_text_bytes(content, limits)
        if modality == "image":
            return decode_image_bytes(content, limits)
        return decode_audio_bytes(content, limits)
    except InvalidInputError as refusal:
        found = what_is(content)
        claimed = (declared or "").split("/")[0]
        if content and claimed in TAKES and claimed != found.modality:
            refusal.args = (f"{refusal.args[0]} (it was declared as {claimed})",)
        raise


def _from_object(source: Any, modality: Modality, limits: DecodeLimits) -> Sample:
    """Pictures, arrays and sounds: what has no file."""
    if isinstance(source, Sound) and modality == "audio":
        digest = hash_of_array(np.asarray(source.waveform), f"sound:{source.rate_hz}")
        return replace(decode_audio_bytes(sound_as_wav(source), limits), content_hash=digest)
    if isinstance(source, np.ndarray) and modality == "image":
        if source.ndim >= 2:
            check_size(source.shape[1], source.shape[0], limits)
        return _from_picture(picture_of_array(source), hash_of_array(source, "array"), limits)
    if _is_picture(source) and modality == "image":
        return _from_picture(source, None, limits)
    raise _misplaced(source, modality)


def _misplaced(source: Any, modality: Modality) -> ModalityMismatchError:
    if isinstance(source, np.ndarray) and modality == "audio":
        what = "an array does not say its sample rate"
        hint = "wrap it: imprint.types.Sound(waveform, rate_hz)"
        return refused(ModalityMismatchError, what, hint, check="modality")
    if isinstance(source, Sound):
        return _wrong_modality("a recording", modality)
    if isinstance(source, np.ndarray) or _is_picture(source):
        return _wrong_modality("an array or a picture", modality)
    what = f"a {type(source).__name__} is not something a sample can be read from"
    hint = "send a path, bytes, a text, a Pillow picture or a numpy array"
    return refused(ModalityMismatchError, what, hint, check="source")


def _from_picture(picture: Image, digest: str | None, limits: DecodeLimits) -> Sample:
    from imprint.errors import DecodeError

    try:
        check_size(*picture.size, limits)
        # A copy: decoding seeks and drafts, and the caller's picture must stay as it was.
        pixels, notes = decode_picture(picture.copy(), limits)
        if digest is None:
            digest = hash_of_array(np.asarray(picture), f"picture:{picture.mode}")
    except InvalidInputError:
        raise
    except Exception:  # noqa: BLE001 - a lazily opened picture fails here in Pillow's many ways
        what = "the picture cannot be read: its file is truncated, damaged or already closed"
        raise refused(
            DecodeError, what, "load it again before sending it", check="image_intact"
        ) from None
    return Sample("image", pixels, digest, RawItem(png_of(pixels), "image/png"), notes)


def _is_picture(source: Any) -> bool:
    """Whether this is a Pillow picture, without importing Pillow for those that are not."""
    return any(kind.__module__ == "PIL.Image" for kind in type(source).__mro__)


def _read_file(source: str | os.PathLike[str], modality: Modality, limits: DecodeLimits) -> bytes:
    most = {
        "image": limits.image_bytes,
        "audio": limits.audio_bytes,
        "text": limits.text_characters * 4,
    }[modality]
    try:
        path = Path(source)
        if not path.is_file():
            missing = "is a folder or no regular file" if path.exists() else "was not found"
            raise _no_file(missing, modality)
        with path.open("rb") as file:
            content = file.read(most + 1)
            size = max(len(content), os.fstat(file.fileno()).st_size)
    except InvalidInputError:
        raise
    except (OSError, ValueError):
        raise _no_file("cannot be opened", modality) from None
    if len(content) > most:
        raise refused(
            SampleTooLargeError,
            f"the file has {megabytes(size)}, the limit is {megabytes(most)}",
            "send a smaller one",
            check=f"{modality}_bytes",
            score=size,
            limit=most,
        )
    return content


def _no_file(problem: str, modality: Modality) -> InvalidInputError:
    hint = "check the path and that you may read it"
    what = f"the file {problem} (this collection takes {TAKES[modality]} by path or as bytes)"
    return refused(InvalidInputError, what, hint, check="source")


def _wrong_modality(what: str, modality: Modality) -> ModalityMismatchError:
    hint = "send it to a collection of its own modality"
    said = f"this is {what}, but this collection takes {TAKES[modality]}"
    return refused(ModalityMismatchError, said, hint, check="modality")


def guess_modality(source: Any) -> Modality:
    """The modality a source is most likely of: its bytes decide, then its suffix, else text.

    Used by the command line where a collection is created by its first example.
    """
    if isinstance(source, RawItem):
        source = source.content
    if isinstance(source, Sample):
        return source.modality
    if isinstance(source, bytes | bytearray | memoryview):
        return what_is(bytes(source[:_PEEKED_BYTES])).modality or "text"
    if isinstance(source, Sound):
        return "audio"
    if isinstance(source, str | os.PathLike):
        return _guess_file(source)
    return "image"


def _guess_file(source: str | os.PathLike[str]) -> Modality:
    try:
        path = Path(source)
        suffix = path.suffix.lower()
        if path.is_file():
            with path.open("rb") as file:
                found = what_is(file.read(_PEEKED_BYTES)).modality
            if found is not None and found != "text":
                return found
    except (OSError, ValueError):
        return "text"
    if suffix in _IMAGE_SUFFIXES and "\n" not in str(source):
        return "image"
    return "audio" if suffix in _AUDIO_SUFFIXES else "text"
