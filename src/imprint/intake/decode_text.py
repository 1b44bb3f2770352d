"""Text as it may come in: UTF-8, composed (NFC), no outer white space, no control characters."""

from __future__ import annotations

import hashlib
import unicodedata

from imprint.errors import DecodeError, EmptySampleError, SampleTooLargeError
from imprint.intake.decode_media import (
    DEFAULT_LIMITS,
    DecodeLimits,
    refuse_other_media,
    refused,
    what_is,
)
from imprint.types import RawItem, Sample

ALLOWED_CONTROLS = frozenset("\n\t\r")
_LONGEST_UTF8_BYTES = 4


def decode_text_bytes(content: bytes, limits: DecodeLimits = DEFAULT_LIMITS) -> Sample:
    """Read UTF-8 bytes (a byte order mark is dropped).

    Raises:
        EmptySampleError, SampleTooLargeError, DecodeError, ModalityMismatchError: see each message.
    """
    if len(content) > limits.text_characters * _LONGEST_UTF8_BYTES:
        raise _too_long(len(content), limits, "bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        found = what_is(content)
        if found.modality not in (None, "text"):
            refuse_other_media(found, "text")
        raise _not_utf8(content, problem.start) from None
    return decode_text(text, limits, content)


def decode_text(
    text: str, limits: DecodeLimits = DEFAULT_LIMITS, content: bytes | None = None
) -> Sample:
    """Normalize and check a text. Two texts that normalize alike have the same hash.

    Raises:
        EmptySampleError: nothing but white space.
        SampleTooLargeError: more characters than the limit.
        DecodeError: control characters, or halves of characters (lone surrogates).
    """
    if len(text) > limits.text_characters:
        raise _too_long(len(text), limits, "characters")
    clean = unicodedata.normalize("NFC", text).strip().lstrip("\ufeff").strip()
    if not clean:
        raise refused(
            EmptySampleError,
            "the text is empty or only white space",
            "send at least one word",
            check="text_length",
            limit=1,
        )
    _refuse_controls(clean)
    try:
        normalized = clean.encode("utf-8")
    except UnicodeEncodeError as problem:
        raise _not_utf8(b"", problem.start) from None
    raw = RawItem(content if content is not None else text.encode("utf-8"), "text/plain")
    return Sample("text", clean, hashlib.sha256(normalized).hexdigest(), raw)


def _refuse_controls(text: str) -> None:
    for at, character in enumerate(text):
        if unicodedata.category(character) == "Cc" and character not in ALLOWED_CONTROLS:
            what = f"the text holds the control character U+{ord(character):04X} at position {at}"
            hint = "remove it; line breaks and tabs are fine"
            raise refused(DecodeError, what, hint, check="control_characters", score=at)


def _too_long(count: int, limits: DecodeLimits, unit: str) -> SampleTooLargeError:
    return refused(
        SampleTooLargeError,
        f"the text has {count:,} {unit}, the limit is {limits.text_characters:,} characters",
        "shorten it or split it into several texts",
        check="text_length",
        score=count,
        limit=limits.text_characters,
    )


def _not_utf8(content: bytes, offset: int) -> DecodeError:
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    guess = " (it looks like UTF-16)" if wide else ""
    what = f"the text is not valid UTF-8: byte or character {offset} cannot be read{guess}"
    return refused(
        DecodeError, what, "save it as UTF-8 and send it again", check="utf8", score=offset
    )
