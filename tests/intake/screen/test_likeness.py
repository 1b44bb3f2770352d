"""Copies are told from samples that only resemble each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imprint.intake.decode import to_sample
from imprint.intake.screen.likeness import COPY_FROM, alike, likeness_of

TEXT = "Where is the card I ordered last week?"


def texts_alike(one: str, other: str) -> float:
    first, second = (likeness_of(to_sample(text, "text")) for text in (one, other))
    assert first is not None
    assert second is not None
    return alike(first, second)


@pytest.mark.parametrize(
    "copy",
    [
        TEXT.upper(),
        TEXT.rstrip("?") + " ...",
        "Where is the crad I ordered last week?",
        f" {TEXT}!",
    ],
)
def test_small_changes_of_a_text_leave_a_copy(copy) -> None:
    assert texts_alike(TEXT, copy) >= COPY_FROM["text"]


@pytest.mark.parametrize(
    "other",
    [
        "Where is the money I returned last week?",
        "When will the card I ordered arrive?",
        "How do I cancel the card I ordered?",
    ],
)
def test_texts_that_share_words_are_no_copies(other) -> None:
    assert texts_alike(TEXT, other) < COPY_FROM["text"]


def test_a_number_makes_another_text() -> None:
    assert texts_alike("please repair item 31 today", "please repair item 32 today") == 0.0


def test_short_texts_blank_pictures_and_recordings_are_not_compared(tmp_path) -> None:
    assert likeness_of(to_sample("ok then", "text")) is None
    blank = np.full((64, 64, 3), 90, np.uint8)
    assert likeness_of(to_sample(blank, "image")) is None


@given(st.text(st.characters(codec="utf-8", categories=["L"]), min_size=12, max_size=60))
def test_a_text_is_wholly_like_itself_and_likeness_is_mutual(text) -> None:
    own = likeness_of(to_sample(text, "text"))
    other = likeness_of(to_sample(TEXT, "text"))
    if own is not None and other is not None:
        assert alike(own, own) == pytest.approx(1.0)
        assert alike(own, other) == pytest.approx(alike(other, own))


def scenery(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 5, 3)).astype(np.uint8)
    return np.array(Image.fromarray(coarse).resize((100, 120), Image.Resampling.BICUBIC))


def test_a_picture_cropped_and_brightened_is_a_copy_and_another_is_not() -> None:
    first, other = scenery(0), scenery(1)
    copy = np.clip(first[2:-2, 2:-2].astype(int) + 12, 0, 255).astype(np.uint8)
    own = likeness_of(to_sample(first, "image"))
    assert own is not None
    assert alike(own, likeness_of(to_sample(copy, "image"))) >= COPY_FROM["image"]
    assert alike(own, likeness_of(to_sample(other, "image"))) < 0.7


def test_the_grid_is_the_mean_of_cells() -> None:
    picture = scenery(2)[:96, :96]
    cells = picture.reshape(12, 8, 12, 8, 3).mean(axis=(1, 3)) @ [0.299, 0.587, 0.114]
    flat = (cells - cells.mean()).ravel()
    own = likeness_of(to_sample(picture, "image"))
    assert np.allclose(own, flat / np.linalg.norm(flat), atol=1e-4)
