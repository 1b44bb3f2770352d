"""What may come in: the limits, how a refusal is worded, and what bytes really are.

A declared media type or a file name is never trusted: the beginning of the bytes decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from imprint.errors import ModalityMismatchError, UnsupportedMediaError
from imprint.types import Check

if TYPE_CHECKING:
    from imprint.errors import InvalidInputError
    from imprint.types import Modality

Refusal = TypeVar("Refusal", bound="InvalidInputError")


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """Sizes above (or below) which a source is refused before it is decoded.

    `image_pixels` stays below the 89.4 million where Pillow's own decompression-bomb guard starts.
    `image_keep_px` is the longer side samples are reduced to; encoders never need more.
    """

    image_bytes: int = 20_000_000
    image_pixels: int = 89_000_000
    image_side_px: int = 8
    image_aspect_ratio: float = 30.0
    image_keep_px: int = 640
    text_characters: int = 20_000
    audio_bytes: int = 20_000_000
    audio_shortest_s: float = 0.12
    audio_longest_s: float = 30.0
    audio_channels: int = 8
    audio_rates_hz: tuple[int, int] = (4_000, 192_000)


DEFAULT_LIMITS = DecodeLimits()


def refused(
    kind: type[Refusal], what: str, hint: str, *, check: str, score: float = 0.0, limit: float = 0.0
) -> Refusal:
    """Build the error of a refused source: what happened, then what to do, and the check behind.

    Neither text may hold content of the sample or a path.
    """
    return kind(f"{what}; {hint}", checks=(Check(check, "reject", score, limit, hint),))


def megabytes(n_bytes: float) -> str:
    """Size in words, such as "20 MB"."""
    if n_bytes < 1_000_000:
        return f"{n_bytes / 1000:.3g} kB"
    return f"{n_bytes / 1e6:.4g} MB"


class Media(NamedTuple):
    """A recognized kind of bytes: media type, its name for people, and the modality it is."""

    media_type: str
    name: str
    modality: Modality | None


PLAIN_TEXT = Media("text/plain", "plain text", "text")
UNKNOWN = Media("application/octet-stream", "of an unknown format", None)
SVG = Media("image/svg+xml", "an SVG drawing", None)
HTML = Media("text/html", "an HTML page", None)
XML = Media("application/xml", "an XML document", None)

TAKES: dict[Modality, str] = {
    "image": "images (JPEG, PNG, WebP, GIF, TIFF, BMP)",
    "text": "text (UTF-8)",
    "audio": "recordings (WAV, and FLAC, OGG, MP3 with the audio extra)",
}

_STARTS: tuple[tuple[int, bytes, Media], ...] = (
    (0, b"\xff\xd8\xff", Media("image/jpeg", "a JPEG image", "image")),
    (0, b"\x89PNG\r\n\x1a\n", Media("image/png", "a PNG image", "image")),
    (0, b"GIF8", Media("image/gif", "a GIF image", "image")),
    (8, b"WEBP", Media("image/webp", "a WebP image", "image")),
    (0, b"II*\x00", Media("image/tiff", "a TIFF image", "image")),
    (0, b"MM\x00*", Media("image/tiff", "a TIFF image", "image")),
    (4, b"ftypavif", Media("image/avif", "an AVIF image", "image")),
    (4, b"ftyphei", Media("image/heic", "a HEIC photo", None)),
    (4, b"ftypmif1", Media("image/heif", "a HEIF photo", None)),
    (4, b"ftyp", Media("video/mp4", "an MP4 film or sound file", None)),
    (8, b"WAVE", Media("audio/wav", "a WAV recording", "audio")),
    (8, b"AVI ", Media("video/x-msvideo", "an AVI film", None)),
    (0, b"fLaC", Media("audio/flac", "a FLAC recording", "audio")),
    (0, b"OggS", Media("audio/ogg", "an OGG recording", "audio")),
    (0, b"ID3", Media("audio/mpeg", "an MP3 recording", "audio")),
    (0, b"%PDF", Media("application/pdf", "a PDF document", None)),
    (0, b"PK\x03\x04", Media("application/zip", "a ZIP archive or office document", None)),
    (0, b"\x1f\x8b", Media("application/gzip", "a gzip archive", None)),
    (0, b"7z\xbc\xaf", Media("application/x-7z-compressed", "a 7-Zip archive", None)),
    (0, b"Rar!", Media("application/vnd.rar", "a RAR archive", None)),
    (0, b"\x7fELF", Media("application/x-executable", "a program", None)),
    (0, b"\x1aE\xdf\xa3", Media("video/webm", "a WebM film", None)),
    (0, b"SQLite format 3", Media("application/vnd.sqlite3", "a database", None)),
)
_BITMAP = Media("image/bmp", "a BMP image", "image")
_PORTABLE = Media("image/x-portable-anymap", "a PNM image", "image")
_MP3 = Media("audio/mpeg", "an MP3 recording", "audio")
_RIFF_KINDS = (b"WEBP", b"WAVE", b"AVI ")
_LOOKED_AT_BYTES = 4096


def what_is(content: bytes) -> Media:
    """Recognize bytes by their beginning; `UNKNOWN` when nothing fits."""
    head = content[:_LOOKED_AT_BYTES]
    for offset, magic, media in _STARTS:
        if head[offset : offset + len(magic)] != magic:
            continue
        if magic not in _RIFF_KINDS or head[:4] == b"RIFF":
            return media
    return _short_magic(head) or _textual(head, whole=len(content) <= len(head))


def _short_magic(head: bytes) -> Media | None:
    """Formats whose magic is two bytes, told apart from text by what follows."""
    if head[:2] == b"BM" and head[6:10] == b"\x00\x00\x00\x00":
        return _BITMAP
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3] in (b"\n", b" ", b"\r", b"\t"):
        digits = head[3:4]
        return _PORTABLE if digits.isdigit() or digits == b"#" else None
    # An MPEG frame of layer III: eleven sync bits, then version and layer.
    if len(head) > 4 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2:
        return _MP3
    return None


def _textual(head: bytes, *, whole: bool) -> Media:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as problem:
        # A character may be cut in two where the looked-at part ends.
        if whole or problem.start < len(head) - 3:
            return UNKNOWN
        text = head[: problem.start].decode("utf-8")
    if "\x00" in text:
        return UNKNOWN
    lowered = text.lstrip("\ufeff \t\r\n").lower()
    if lowered.startswith("<svg") or (lowered.startswith("<?xml") and "<svg" in lowered):
        return SVG
    if lowered.startswith(("<!doctype html", "<html")):
        return HTML
    return XML if lowered.startswith("<?xml") else PLAIN_TEXT


def refuse_other_media(found: Media, modality: Modality) -> None:
    """Refuse bytes that are not of the modality the collection takes, saying what they are.

    Raises:
        ModalityMismatchError: they are of another modality.
        UnsupportedMediaError: they are of none.
    """
    if found.modality == modality:
        return
    takes = f"this collection takes {TAKES[modality]}"
    if found.modality is not None:
        hint = f"send it to a collection of modality {found.modality}, or send another file"
        what = f"the bytes are {found.name}, but {takes}"
        raise refused(ModalityMismatchError, what, hint, check="modality")
    hint = "export or convert it to one of these formats first"
    what = f"the file is really {found.name}, and {takes}"
    raise refused(UnsupportedMediaError, what, hint, check="media")
