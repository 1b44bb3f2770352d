"""Pictures as they may come in: any common format to upright sRGB of at most 640 px.

Sizes are checked from the header before a pixel is decoded. Large JPEGs are decoded at a half, a
quarter or an eighth of their size (Pillow's draft mode), so a 12-megapixel photo costs about as
much as a small one.
"""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

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
from imprint.intake.decode_pixels import upright_rgb
from imprint.types import RawItem, Sample

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL import Image

# Only the reader of what the bytes begin with is let near them.
READERS = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/tiff": "TIFF",
    "image/bmp": "BMP",
    "image/x-portable-anymap": "PPM",
    "image/avif": "AVIF",
}
# How a complete file ends; what is missing there was cut off.
_ENDS = {"image/jpeg": b"\xff\xd9", "image/png": b"IEND", "image/gif": b"\x3b"}


def decode_image_bytes(content: bytes, limits: DecodeLimits = DEFAULT_LIMITS) -> Sample:
    """Decode the bytes of an image file.

    Raises:
        EmptySampleError: no bytes, or fewer pixels than show anything.
        SampleTooLargeError: more bytes or pixels than the limit.
        UnsupportedMediaError: not an image, or one longer than 30 times its width.
        ModalityMismatchError: text or a recording.
        DecodeError: truncated or damaged.
    """
    if len(content) > limits.image_bytes:
        what = f"the image file has {megabytes(len(content))}"
        what += f", the limit is {megabytes(limits.image_bytes)}"
        raise refused(
            SampleTooLargeError,
            what,
            "save it smaller (a side of 640 px is enough)",
            check="image_bytes",
            score=len(content),
            limit=limits.image_bytes,
        )
    if not content:
        raise refused(
            EmptySampleError,
            "the image file has 0 bytes",
            "send the file again",
            check="image_bytes",
        )
    found = what_is(content)
    refuse_other_media(found, "image")
    pixels, notes = _guarded(content, found, limits)
    raw = RawItem(content, found.media_type)
    return Sample("image", pixels, hashlib.sha256(content).hexdigest(), raw, notes)


def _guarded(
    content: bytes, found: Media, limits: DecodeLimits
) -> tuple[npt.NDArray[np.uint8], tuple[str, ...]]:
    """Decode, and turn whatever a parser of hostile bytes raises into one of our refusals."""
    from PIL import Image

    try:
        reader = _reader(found)
        if found.media_type == "image/png":
            # Only this checks the checksums over the pixels; decoding alone does not.
            with Image.open(io.BytesIO(content), formats=[reader]) as picture:
                check_size(*picture.size, limits)
                picture.verify()
        with Image.open(io.BytesIO(content), formats=[reader]) as picture:
            return decode_picture(picture, limits)
    except InvalidInputError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels(None, limits) from None
    except Exception:  # noqa: BLE001 - Pillow's readers raise almost anything on damaged bytes
        raise _unreadable(content, found) from None


def _reader(found: Media) -> str:
    """Pillow's name of the format, with its reader loaded; a few builds lack the rarer ones."""
    from PIL import Image

    name = READERS[found.media_type]
    for load in (Image.preinit, Image.init):
        if name not in Image.OPEN:
            load()
    if name not in Image.OPEN:
        what = f"the file is {found.name}, which this installation of Pillow cannot read"
        raise refused(UnsupportedMediaError, what, "save it as PNG or JPEG", check="media")
    return name


def decode_picture(
    picture: Image.Image, limits: DecodeLimits = DEFAULT_LIMITS
) -> tuple[npt.NDArray[np.uint8], tuple[str, ...]]:
    """Check a picture's size, then give its pixels (height, width, 3) and what was decided."""
    check_size(*picture.size, limits)
    notes: list[str] = []
    n_frames = int(getattr(picture, "n_frames", 1))
    if n_frames > 1:
        picture.seek(0)
        notes.append(f"first of {n_frames} frames")
    if picture.format in ("JPEG", "MPO"):
        longer = max(picture.size)
        keep = limits.image_keep_px
        size = tuple(max(1, side * keep // longer) for side in picture.size)
        picture.draft(picture.mode, (size[0], size[1]))
    pixels = upright_rgb(picture, limits.image_keep_px, notes)
    return pixels, tuple(notes)


def check_size(width: int, height: int, limits: DecodeLimits) -> None:
    """Refuse pictures that are too small, too long, or too large to decode safely."""
    shorter, longer = min(width, height), max(width, height)
    if width * height > limits.image_pixels:
        raise _too_many_pixels(width * height, limits)
    if longer > shorter * limits.image_aspect_ratio:
        raise refused(
            UnsupportedMediaError,
            f"the image is {width} x {height} px, more than {limits.image_aspect_ratio:g} times as "
            "long as wide",
            "crop it to the part that matters",
            check="image_aspect_ratio",
            score=longer / max(1, shorter),
            limit=limits.image_aspect_ratio,
        )
    if shorter < limits.image_side_px:
        raise refused(
            EmptySampleError,
            f"the image is {width} x {height} px, too small to show anything",
            f"send one of at least {limits.image_side_px} px on each side",
            check="image_side_px",
            score=shorter,
            limit=limits.image_side_px,
        )


def _too_many_pixels(n_pixels: int | None, limits: DecodeLimits) -> SampleTooLargeError:
    many = f"{n_pixels / 1e6:,.0f}" if n_pixels else "far too many"
    return refused(
        SampleTooLargeError,
        f"the image has {many} million pixels, the limit is {limits.image_pixels / 1e6:,.0f}",
        "save it smaller (a side of 640 px is enough)",
        check="image_pixels",
        score=n_pixels or 0,
        limit=limits.image_pixels,
    )


def _unreadable(content: bytes, found: Media) -> DecodeError:
    if _is_cut_off(content, found.media_type):
        what = f"the file begins as {found.name} but is truncated after {megabytes(len(content))}"
        return refused(DecodeError, what, "copy or upload it again", check="image_complete")
    what = f"the file begins as {found.name} but is damaged and cannot be decoded"
    return refused(DecodeError, what, "open it in a viewer and save it again", check="image_intact")


def _is_cut_off(content: bytes, media_type: str) -> bool:
    if media_type == "image/webp":
        return int.from_bytes(content[4:8], "little") + 8 > len(content)
    end = _ENDS.get(media_type)
    return end is not None and end not in content[-32:]
