"""Changes to texts: what may be lost, what may not."""

from __future__ import annotations

import numpy as np
import pytest

from imprint.errors import InvalidOptionError
from imprint.train.augment.text import said_otherwise, with_words_dropped, with_words_swapped

TEXT = "my card was swallowed by the machine"


def test_dropping_keeps_the_order_of_what_stays():
    rng = np.random.default_rng(0)
    for _ in range(50):
        rest = iter(TEXT.split())
        assert all(word in rest for word in with_words_dropped(TEXT, rng, chance=0.4).split())


def test_dropping_loses_about_the_share_asked_for():
    rng = np.random.default_rng(0)
    long = " ".join(["word"] * 10_000)
    assert len(with_words_dropped(long, rng, chance=0.3).split()) == pytest.approx(7000, abs=200)


def test_one_word_always_stays():
    assert with_words_dropped("hello", np.random.default_rng(0), chance=1.0) == "hello"
    assert with_words_dropped("", np.random.default_rng(0), chance=1.0) == ""


def test_a_chance_above_one_is_refused():
    with pytest.raises(InvalidOptionError, match="within 0"):
        with_words_dropped(TEXT, np.random.default_rng(0), chance=1.5)


def test_swapping_keeps_the_words_and_moves_two():
    rng = np.random.default_rng(0)
    for _ in range(50):
        swapped = with_words_swapped(TEXT, rng).split()
        assert sorted(swapped) == sorted(TEXT.split())
        assert sum(a != b for a, b in zip(swapped, TEXT.split(), strict=True)) == 2
    assert with_words_swapped("hello", rng) == "hello"


def test_a_translator_that_has_nothing_to_offer_leaves_the_text():
    assert said_otherwise(["a b", "c"], lambda texts: [texts[0].upper(), " "]) == ["A B", "c"]


def test_a_translator_that_loses_texts_is_refused():
    with pytest.raises(InvalidOptionError, match="returned 1 texts for 2"):
        said_otherwise(["a", "b"], lambda texts: texts[:1])
