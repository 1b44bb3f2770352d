"""Pictures of every kind come in upright, opaque, 8-bit, small; bad ones are refused in words."""

import hashlib
import io
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imprint.errors import (
    DecodeError,
    EmptySampleError,
    InvalidInputError,
    ModalityMismatchError,
    SampleTooLargeError,
    UnsupportedMediaError,
)
from imprint.intake.decode import DecodeLimits, guess_modality, to_sample

RED, GREEN = (220, 20, 30), (20, 200, 40)


def halves(width=40, height=24):
    """Left half red, right half green: shows any turn or flip."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:, : width // 2] = RED
    pixels[:, width // 2 :] = GREEN
    return Image.fromarray(pixels)


def saved(picture, kind="PNG", **options):
    out = io.BytesIO()
    picture.save(out, format=kind, **options)
    return out.getvalue()


def noise(width=120, height=90, seed=0):
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def close(pixel, color, slack=12):
    return np.abs(pixel.astype(int) - np.array(color)).max() <= slack


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF"])
def test_common_formats_decode_to_the_same_colors(kind):
    options = {"quality": 95} if kind in ("JPEG", "WEBP", "AVIF") else {}
    content = saved(halves(), kind, **options)
    sample = to_sample(content, "image")
    assert sample.modality == "image"
    assert sample.value.shape == (24, 40, 3)
    assert sample.value.dtype == np.uint8
    assert close(sample.value[12, 5], RED)
    assert close(sample.value[12, 35], GREEN)
    assert sample.content_hash == hashlib.sha256(content).hexdigest()
    assert sample.raw.content == content
    assert sample.raw.media_type.startswith("image/")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone_as_pillow_itself_does(orientation):
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    content = saved(halves(), "JPEG", exif=exif, quality=95)
    sample = to_sample(content, "image")
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))))
    np.testing.assert_array_equal(sample.value, expected)
    assert bool(sample.notes) == (orientation != 1)


def test_transparency_is_laid_on_white_and_said():
    clear = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    sample = to_sample(saved(clear), "image")
    assert (sample.value == 255).all()
    assert "transparent parts laid on white" in sample.notes
    opaque = to_sample(saved(Image.new("RGBA", (20, 20), (10, 20, 30, 255))), "image")
    assert opaque.notes == ()
    assert (opaque.value == [10, 20, 30]).all()


def test_palettes_with_a_transparent_entry_are_laid_on_white():
    picture = Image.new("P", (16, 16), 1)
    picture.putpalette([255, 0, 0, 0, 0, 255] + [0] * 762)
    sample = to_sample(saved(picture, transparency=1), "image")
    assert (sample.value == 255).all()
    plain = to_sample(saved(picture), "image")
    assert (plain.value == [0, 0, 255]).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "YCbCr", "LAB", "HSV", "I", "F"])
def test_every_mode_of_pillow_becomes_rgb(mode):
    picture = halves().convert("RGB")
    picture = (
        picture.convert("L").convert(mode)
        if mode in ("LA", "I", "F")
        else (
            picture.convert("RGB").convert(mode)
            if mode != "LAB"
            else Image.merge("LAB", picture.convert("RGB").split())
        )
    )
    assert to_sample(picture, "image").value.shape == (24, 40, 3)


def test_cmyk_jpeg_keeps_its_colors():
    sample = to_sample(saved(halves().convert("CMYK"), "JPEG", quality=95), "image")
    assert close(sample.value[12, 5], RED, 20)


def test_sixteen_bit_gray_keeps_its_whole_range():
    deep = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (32, 1))
    sample = to_sample(saved(Image.fromarray(deep)), "image")
    np.testing.assert_array_equal(sample.value[..., 0], np.round(deep / 257).astype(np.uint8))
    assert any("8 bits" in note for note in sample.notes)


def test_animated_files_give_the_first_frame_and_say_so():
    frames = [Image.new("RGB", (20, 20), c) for c in (RED, GREEN, (0, 0, 255))]
    for kind in ("GIF", "WEBP", "PNG", "TIFF"):
        extra = {"lossless": True} if kind == "WEBP" else {}
        content = saved(frames[0], kind, save_all=True, append_images=frames[1:], **extra)
        sample = to_sample(content, "image")
        assert close(sample.value[10, 10], RED)
        assert "first of 3 frames" in sample.notes


def test_a_twelve_megapixel_photo_is_reduced_to_640():
    small = noise(400, 300)
    content = saved(small.resize((4000, 3000)), "JPEG", quality=85)
    sample = to_sample(content, "image")
    assert sample.value.shape == (480, 640, 3)
    reference = np.asarray(small.resize((64, 48)), dtype=float)
    ours = np.asarray(Image.fromarray(sample.value).resize((64, 48)), dtype=float)
    assert np.abs(reference - ours).mean() < 8


def test_pictures_and_arrays_decode_like_the_file_of_the_same_pixels():
    picture = halves()
    from_file = to_sample(saved(picture), "image")
    from_picture = to_sample(picture, "image")
    from_array = to_sample(np.asarray(picture), "image")
    np.testing.assert_array_equal(from_file.value, from_picture.value)
    np.testing.assert_array_equal(from_file.value, from_array.value)
    again = to_sample(from_array.raw.content, "image")
    np.testing.assert_array_equal(again.value, from_array.value)
    assert from_array.raw.media_type == "image/png"
    assert to_sample(np.asarray(picture).copy(), "image").content_hash == from_array.content_hash
    assert to_sample(picture.copy(), "image").content_hash == from_picture.content_hash


def test_arrays_of_every_documented_type_mean_the_same_picture():
    gray = np.asarray(halves().convert("L"))
    expected = np.repeat(gray[..., None], 3, axis=2)
    for array in (gray, gray[..., None], expected, gray / 255.0, gray.astype(np.uint16) * 257,
                  gray.astype(np.int64), (gray / 255.0).astype(np.float32)):  # fmt: skip
        np.testing.assert_array_equal(to_sample(array, "image").value, expected)
    ink = gray > 100
    assert set(np.unique(to_sample(ink, "image").value)) == {0, 255}
    clear = np.dstack([expected, np.zeros_like(gray)])
    assert (to_sample(clear, "image").value == 255).all()


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((20, 20, 2), np.uint8),
        np.zeros(20, np.uint8),
        np.zeros((2, 20, 20, 3), np.uint8),
        np.full((20, 20), 2.0),
        np.full((20, 20), np.nan),
        np.full((20, 20), -1),
        np.full((20, 20), 300),
        np.full((20, 20), "a"),
        np.zeros((20, 0), np.uint8),
    ],
)
def test_arrays_that_are_no_picture_are_refused(array):
    with pytest.raises(InvalidInputError) as refusal:
        to_sample(array, "image")
    assert refusal.value.checks[0].verdict == "reject"


def test_an_empty_file_is_refused():
    with pytest.raises(EmptySampleError, match="0 bytes") as refusal:
        to_sample(b"", "image")
    assert refusal.value.checks[0].hint


@pytest.mark.parametrize(
    ("size", "kind"),
    [
        ((1, 1), EmptySampleError),
        ((7, 7), EmptySampleError),
        ((20000, 1), UnsupportedMediaError),
        ((1, 20000), UnsupportedMediaError),
        ((3100, 100), UnsupportedMediaError),
    ],
)
def test_pictures_of_useless_shape_are_refused(size, kind):
    with pytest.raises(kind, match=f"{size[0]} x {size[1]} px") as refusal:
        to_sample(saved(Image.new("RGB", size)), "image")
    check = refusal.value.checks[0]
    assert check.verdict == "reject"
    assert check.score != check.limit
    with pytest.raises(kind):
        to_sample(Image.new("RGB", size), "image")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_truncated_files_are_refused_as_truncated(kind, share):
    content = saved(noise(), kind)
    with pytest.raises(DecodeError, match="truncated"):
        to_sample(content[: int(len(content) * share)], "image")


def test_damaged_bytes_inside_a_png_are_refused():
    content = bytearray(saved(noise()))
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(64)
    with pytest.raises(DecodeError, match="damaged"):
        to_sample(bytes(content), "image")


def png_claiming(width, height):
    """A tiny PNG whose header claims a huge picture."""

    def chunk(kind, body):
        check = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [9_500, 12_000, 50_000])
def test_a_decompression_bomb_is_refused_from_its_header(side):
    with pytest.raises(SampleTooLargeError, match="million pixels") as refusal:
        to_sample(png_claiming(side, side), "image")
    assert refusal.value.checks[0].name == "image_pixels"


def test_too_many_bytes_are_refused_with_both_numbers():
    content = saved(noise())
    limits = DecodeLimits(image_bytes=1000)
    with pytest.raises(SampleTooLargeError, match=r"kB.*limit is 1 kB"):
        to_sample(content, "image", limits=limits)


def zipped():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.txt", "a")
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b'<svg xmlns="http://www.w3.org/2000/svg" width="9"></svg>', "SVG"),
        (b'<?xml version="1.0"?>\n<svg width="9"/>', "SVG"),
        (b"%PDF-1.7\n1 0 obj", "PDF"),
        (b"<!DOCTYPE html><html></html>", "HTML"),
        (zipped(), "ZIP"),
        (b"\x00\x01\x02\x03" * 50, "unknown format"),
    ],
)
def test_other_files_named_jpg_are_refused_as_what_they_are(tmp_path, content, named):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(UnsupportedMediaError, match=named) as refusal:
        to_sample(path, "image", media_type="image/jpeg")
    assert "photo" not in str(refusal.value)
    assert "JPEG" in str(refusal.value)


def test_text_for_an_image_collection_says_what_the_collection_takes():
    with pytest.raises(ModalityMismatchError, match="takes images"):
        to_sample(b"hello there, this is a sentence", "image")


def test_paths_work_as_text_and_as_path(tmp_path):
    path = tmp_path / "halves.png"
    path.write_bytes(saved(halves()))
    assert to_sample(path, "image").content_hash == to_sample(str(path), "image").content_hash
    assert guess_modality(str(path)) == guess_modality(path) == "image"


@pytest.mark.parametrize("make", [Path, str])
def test_a_missing_file_is_refused_without_naming_its_folder(tmp_path, make):
    with pytest.raises(InvalidInputError, match="not found") as refusal:
        to_sample(make(tmp_path / "nowhere" / "cat.jpg"), "image")
    assert "nowhere" not in str(refusal.value)
    with pytest.raises(InvalidInputError, match="folder"):
        to_sample(make(tmp_path), "image")


def test_strings_that_cannot_be_paths_are_refused():
    for text in ("", "a\x00b", "x" * 10_000, "a sentence that is no path"):
        with pytest.raises(InvalidInputError):
            to_sample(text, "image")


def test_a_closed_or_truncated_lazy_picture_is_refused():
    content = saved(noise())
    lazy = Image.open(io.BytesIO(content[: len(content) // 2]))
    with pytest.raises(DecodeError):
        to_sample(lazy, "image")


def test_the_callers_picture_stays_as_it_was():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = saved(noise(1600, 1200), "JPEG", exif=exif)
    lazy = Image.open(io.BytesIO(content))
    sample = to_sample(lazy, "image")
    assert lazy.size == (1600, 1200)
    assert sample.value.shape == (640, 480, 3)
    frames = [Image.new("RGB", (20, 20), c) for c in (RED, GREEN)]
    animated = Image.open(
        io.BytesIO(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    )
    animated.seek(1)
    assert close(to_sample(animated, "image").value[10, 10], GREEN)
    assert animated.tell() == 1


def test_decoding_twice_gives_the_same_pixels():
    content = saved(noise(1000, 700), "JPEG")
    np.testing.assert_array_equal(
        to_sample(content, "image").value, to_sample(content, "image").value
    )
