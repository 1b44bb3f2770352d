"""From any picture Pillow can hold, or any array of pixels, to upright sRGB of bounded size."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

import numpy as np

from imprint.errors import DecodeError, UnsupportedMediaError
from imprint.intake.decode_media import refused

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL import Image

_ORIENTATION_TAG = 0x0112
# EXIF orientation to the names of Pillow's transpositions that undo it.
_UNDO = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
_HAS_ALPHA = ("RGBA", "LA", "PA", "La", "RGBa")
_DEEP = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")


def upright_rgb(picture: Image.Image, keep_px: int, notes: list[str]) -> npt.NDArray[np.uint8]:
    """Turn upright, lay on white, reduce to a longer side of `keep_px`: (height, width, 3).

    Appends to `notes` what had to be decided.
    """
    from PIL import Image

    orientation = _orientation(picture)
    flat = _flat_rgb(picture, notes)
    longer = max(flat.size)
    if longer > keep_px:
        sides = [max(1, round(side * keep_px / longer)) for side in flat.size]
        flat = flat.resize((sides[0], sides[1]), Image.Resampling.BICUBIC, reducing_gap=3.0)
    if orientation in _UNDO:
        flat = flat.transpose(Image.Transpose[_UNDO[orientation]])
        notes.append("turned upright as its EXIF orientation says")
    return np.array(flat, dtype=np.uint8)


def _orientation(picture: Image.Image) -> int:
    """EXIF orientation 1 .. 8; 1 when there is none or it cannot be read."""
    try:
        return int(picture.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # noqa: BLE001 - damaged EXIF must not cost a good picture
        return 1


def _flat_rgb(picture: Image.Image, notes: list[str]) -> Image.Image:
    """One opaque 8-bit RGB picture, whatever the mode."""
    from PIL import Image

    if picture.mode in _DEEP:
        notes.append(f"{picture.mode} levels reduced to 8 bits")
        return Image.fromarray(_eight_bit(np.asarray(picture))).convert("RGB")
    if picture.mode not in _HAS_ALPHA and "transparency" not in picture.info:
        return picture.convert("RGB")
    with_alpha = picture.convert("RGBA")
    lowest, _ = with_alpha.getchannel("A").getextrema()
    if lowest == 255:
        return with_alpha.convert("RGB")
    notes.append("transparent parts laid on white")
    paper = Image.new("RGBA", with_alpha.size, (255, 255, 255, 255))
    return Image.alpha_composite(paper, with_alpha).convert("RGB")


def _eight_bit(levels: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Deep gray levels to 8 bits: 16-bit by its full range, 0 .. 1 as shares, else stretched."""
    deep = np.asarray(levels, dtype=np.float64)
    if not np.isfinite(deep).all():
        raise refused(
            DecodeError,
            "the image holds pixels that are NaN or infinite",
            "replace them and send it again",
            check="image_finite",
        )
    lowest, highest = float(deep.min()), float(deep.max())
    if levels.dtype == np.uint16 or (lowest >= 0 and 255 < highest <= 65535):
        return np.round(deep / 257.0).astype(np.uint8)
    if lowest >= 0 and highest <= 255:
        scale = 255.0 if highest <= 1.0 and levels.dtype.kind == "f" else 1.0
        return np.round(deep * scale).astype(np.uint8)
    return np.round((deep - lowest) * (255.0 / (highest - lowest))).astype(np.uint8)


def picture_of_array(array: npt.NDArray[np.generic]) -> Image.Image:
    """A picture from pixels (h, w), (h, w, 1), (h, w, 3) or (h, w, 4).

    bool, whole numbers 0 .. 255, uint16 by its full range, floats 0 .. 1.

    Raises:
        UnsupportedMediaError: another shape, another type, or values outside the range.
    """
    from PIL import Image

    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))) or 0 in array.shape:
        raise _bad_array(f"the array has shape {array.shape}")
    return Image.fromarray(np.ascontiguousarray(_levels(array)))


def _levels(array: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return np.asarray(array, dtype=np.uint8)
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind not in "uif":
        raise _bad_array(f"the array has type {array.dtype}")
    top = 1.0 if array.dtype.kind == "f" else 65535.0 if array.dtype == np.uint16 else 255.0
    values = array.astype(np.float64)
    # Written so that NaN fails it too.
    if not bool(((values >= 0) & (values <= top)).all()):
        raise _bad_array(f"the {array.dtype} array holds values outside 0 .. {top:g}")
    return np.round(values * (255.0 / top)).astype(np.uint8)


def _bad_array(what: str) -> UnsupportedMediaError:
    hint = "send (height, width), (height, width, 3) or (height, width, 4) as uint8 0 .. 255, "
    hint += "uint16, bool or float 0 .. 1"
    return refused(UnsupportedMediaError, what, hint, check="array")


def hash_of_array(array: npt.NDArray[np.generic], kind: str) -> str:
    """SHA-256 over type, shape and values, so that equal arrays are equal samples."""
    digest = hashlib.sha256(f"{kind}:{array.dtype.str}:{array.shape}".encode())
    digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def png_of(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Lossless bytes of decoded pixels: what retention keeps where there was never a file."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="PNG", compress_level=3)
    return out.getvalue()
