"""Quality: each fault is found by its own check, and good samples pass all of them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from imprint import errors
from imprint.intake.quality.audio import audio_checks
from imprint.intake.quality.image import image_checks
from imprint.intake.quality.limits import QualityLimits
from imprint.intake.quality.text import text_checks
from imprint.types import Sound

LIMITS = QualityLimits()
RATE_HZ = 8000


def failing(checks):
    return {check.name for check in checks if check.verdict != "pass"}


def photo(height=80, width=100):
    rng = np.random.default_rng(3)
    small = rng.integers(40, 215, (10, 12, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.NEAREST))


def tone(seconds=1.0, level=0.3):
    rng = np.random.default_rng(4)
    n = int(seconds * RATE_HZ)
    burst = np.sin(np.arange(n) * 0.3) * (np.arange(n) % 2000 < 1200)
    return (level * burst + 0.001 * rng.normal(size=n)).astype(np.float32)


def test_a_photo_passes():
    assert failing(image_checks(photo(), LIMITS)) == set()


def test_a_drawing_in_black_and_white_passes():
    page = np.full((105, 105, 3), 255, np.uint8)
    page[20:80, 50:53] = 0
    assert failing(image_checks(page, LIMITS)) == set()


@pytest.mark.parametrize(
    ("picture", "name"),
    [
        (photo(9, 100), "size"),
        (photo(20, 400), "aspect"),
        (np.clip(photo() // 100 + 120, 0, 255).astype(np.uint8), "blank"),
        (np.full((64, 64, 3), 9, np.uint8), "blank"),
        (np.asarray(Image.fromarray(photo()).filter(ImageFilter.GaussianBlur(12))), "blur"),
    ],
)
def test_each_fault_of_a_picture_is_named(picture, name):
    found = [check for check in image_checks(picture, LIMITS) if check.verdict != "pass"]
    assert name in {check.name for check in found}
    assert all(check.hint for check in found)


def test_a_nearly_black_picture_is_badly_exposed():
    dark = np.zeros((100, 100, 3), np.uint8)
    dark[40:50, 40:50] = 120
    assert "exposure" in failing(image_checks(dark, LIMITS))


@pytest.mark.parametrize("text", ["where is my parcel?", "ok", "😀🚀", "日本語のテキスト", "aaaa"])
def test_an_ordinary_text_passes(text):
    assert failing(text_checks(text, LIMITS)) == set()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("?!...", "length"),
        ("help" + "!" * 60, "repetition"),
        ("buy now " * 20, "boilerplate"),
        ("hello мир γεια שלום مرحبا 日本語 hi мы", "scripts"),
    ],
)
def test_each_fault_of_a_text_is_named(text, name):
    assert name in failing(text_checks(text, LIMITS))


def test_a_recording_passes():
    assert failing(audio_checks(Sound(tone(), RATE_HZ), LIMITS)) == set()


def test_faults_of_recordings_are_named():
    def found(wave):
        return failing(audio_checks(Sound(wave.astype(np.float32), RATE_HZ), LIMITS))

    assert "loudness" in found(np.zeros(RATE_HZ))
    assert "clipping" in found(np.clip(20 * tone(), -1, 1))
    assert "noise" in found(0.3 * np.sin(np.arange(RATE_HZ)))
    late = np.zeros(6 * RATE_HZ)
    late[:400] = tone(0.05)
    assert {"silence", "length"} & found(late)


def test_limits_have_names_and_ranges():
    assert QualityLimits.of({"image_side_px": 40}).image_side_px == 40
    for wrong in ({"nothing": 1}, {"image_side_px": -1}, {"image_side_px": True}):
        with pytest.raises(errors.InvalidOptionError):
            QualityLimits.of(wrong)
