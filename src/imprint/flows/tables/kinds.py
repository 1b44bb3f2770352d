"""Telling the modality of a source from how its content begins, whatever its name says."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from imprint.types import Modality

_SNIFFED_BYTES = 4096
_SIGNATURES: tuple[tuple[bytes, Modality], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"GIF8", "image"),
    (b"BM", "image"),
    (b"II*\x00", "image"),
    (b"MM\x00*", "image"),
    (b"fLaC", "audio"),
    (b"OggS", "audio"),
    (b"ID3", "audio"),
)


def modality_of(source: Path | bytes) -> Modality | None:
    """Tell the modality of a file or of bytes from how the content begins."""
    if isinstance(source, bytes):
        head = source[:_SNIFFED_BYTES]
    else:
        with source.open("rb") as opened:
            head = opened.read(_SNIFFED_BYTES)
    for signature, modality in _SIGNATURES:
        if head.startswith(signature):
            return modality
    if head[:4] == b"RIFF":
        return {b"WEBP": "image", b"WAVE": "audio"}.get(head[8:12])  # type: ignore[return-value]
    return "text" if _is_text(head) else None


def _is_text(head: bytes) -> bool:
    if not head.strip() or head.startswith(b"%PDF") or b"\x00" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # The cut may fall inside the last character; anything earlier is not UTF-8.
        return len(head) == _SNIFFED_BYTES and error.start >= len(head) - 3
    return True


def first_modality(files: Iterable[Path], tries: int = 20) -> Modality | None:
    """Tell the modality of the first file whose content tells it."""
    for file in islice(files, tries):
        if file.is_file() and (found := modality_of(file)) is not None:
            return found
    return None
