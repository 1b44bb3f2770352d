"""Whatever the bytes, only a sample or a refusal with a usable hint comes out."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imprint.errors import InvalidInputError, ModalityMismatchError
from imprint.intake.decode import guess_modality, to_sample
from imprint.types import MODALITIES, RawItem, Sound

STARTS = [
    b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x24\x00\x00\x00WEBP",
    b"RIFF\x24\x00\x00\x00WAVEfmt ", b"II*\x00", b"MM\x00*", b"BM\x46\x00\x00\x00\x00\x00\x00\x00",
    b"P6\n9 9\n255\n", b"fLaC", b"OggS", b"ID3\x03", b"\xff\xfb\x90", b"\x00\x00\x00\x20ftypavif",
]  # fmt: skip


def outcome(source, modality):
    try:
        sample = to_sample(source, modality)
    except InvalidInputError as refusal:
        sample = None
        (check, *_) = refusal.checks
    if sample is None:
        assert check.verdict == "reject"
        assert len(check.hint) > 10
        return None
    assert sample.modality == modality
    assert len(sample.content_hash) == 64
    return sample


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(STARTS), st.binary(max_size=400), st.sampled_from(MODALITIES))
def test_random_bytes_never_crash(start, rest, modality):
    outcome(start + rest, modality)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"]), st.data())
def test_damaged_pictures_never_crash(kind, choose):
    content = bytearray(PICTURES[kind])
    for _ in range(choose.draw(st.integers(1, 6))):
        content[choose.draw(st.integers(0, len(content) - 1))] = choose.draw(st.integers(0, 255))
    outcome(bytes(content), "image")


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=60))
def test_random_text_is_normalized_stably_or_refused(text):
    sample = outcome(text, "text")
    if sample is not None:
        assert to_sample(sample.value, "text").content_hash == sample.content_hash


def _picture(kind):
    out = io.BytesIO()
    grid = np.arange(32 * 24 * 3, dtype=np.uint32) * 37 % 251
    Image.fromarray(grid.astype(np.uint8).reshape(24, 32, 3)).save(out, format=kind)
    return out.getvalue()


PICTURES = {kind: _picture(kind) for kind in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP")}


def test_raw_items_and_samples_pass_through():
    raw = RawItem(PICTURES["PNG"], "image/png")
    sample = to_sample(raw, "image")
    assert sample.content_hash == to_sample(PICTURES["PNG"], "image").content_hash
    assert to_sample(sample, "image") is sample
    with pytest.raises(ModalityMismatchError):
        to_sample(sample, "text")


def test_objects_of_the_wrong_modality_are_refused_by_name():
    picture = Image.new("RGB", (20, 20))
    for source, modality in [
        (picture, "text"),
        (picture, "audio"),
        (np.zeros((20, 20), np.uint8), "text"),
        (Sound(np.zeros(800, np.float32), 8000), "image"),
        (12, "image"),
        (None, "text"),
    ]:
        with pytest.raises(ModalityMismatchError) as refusal:
            to_sample(source, modality)
        assert refusal.value.checks[0].verdict == "reject"


def test_a_declared_type_that_does_not_fit_is_mentioned():
    with pytest.raises(InvalidInputError, match="declared as image"):
        to_sample(b"hello there", "image", media_type="image/png")


def test_modality_is_guessed_from_bytes_pictures_and_arrays():
    assert guess_modality(PICTURES["GIF"]) == "image"
    assert guess_modality(Image.new("RGB", (9, 9))) == "image"
    assert guess_modality(np.zeros((9, 9))) == "image"
    assert guess_modality(RawItem(PICTURES["JPEG"])) == "image"
