"""Any function as an encoder, and what it must keep to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from encoders.tiny import sample
from imprint.encoders import from_callable
from imprint.errors import ModalityMismatchError, VectorError


def lengths(texts: list[str]) -> list[list[float]]:
    return [[len(text), text.count("a"), 1.0] for text in texts]


def other(texts: list[str]) -> list[list[float]]:
    return [[len(text), text.count("e"), 1.0] for text in texts]


def test_rows_are_made_unit_length() -> None:
    encoder = from_callable(lengths, modality="text")
    assert (encoder.name, encoder.dim) == ("lengths", 3)
    expected = np.array([3.0, 1.0, 1.0]) / np.sqrt(11)
    np.testing.assert_allclose(encoder.encode([sample("abc")]), [expected], rtol=1e-6)


def test_another_function_is_another_version_and_the_same_one_is_not() -> None:
    def named_the_same(texts: list[str]) -> Any:
        return other(texts)

    named_the_same.__name__ = "lengths"
    first, again = (from_callable(lengths, modality="text").version for _ in range(2))
    assert first == again
    assert first.startswith("lengths@")
    assert from_callable(named_the_same, modality="text").version != first


def test_a_stated_version_decides_alone() -> None:
    one = from_callable(lengths, modality="text", version="2024-05", name="mine")
    two = from_callable(other, modality="text", version="2024-05", name="mine")
    three = from_callable(other, modality="text", version="2024-06", name="mine")
    assert one.version == two.version != three.version


def test_a_function_is_asked_one_value_at_a_time_unless_it_says_otherwise() -> None:
    asked: list[int] = []

    def watched(texts: list[str]) -> Any:
        asked.append(len(texts))
        return lengths(texts)

    samples = [sample(text) for text in ("a", "bb", "ccc")]
    encoder = from_callable(watched, modality="text")
    asked.clear()
    encoder.encode(samples)
    assert asked == [1, 1, 1]
    encoder = from_callable(watched, modality="text", batch=2)
    asked.clear()
    encoder.encode(samples)
    assert asked == [2, 1]


@pytest.mark.parametrize(
    "function",
    [
        lambda texts: [1.0, 2.0],
        lambda texts: np.ones((len(texts) + 1, 3)),
        lambda texts: np.full((len(texts), 3), np.nan),
        lambda texts: np.zeros((len(texts), 3)),
    ],
)
def test_a_function_that_does_not_give_rows_is_refused(function: Any) -> None:
    with pytest.raises(VectorError):
        from_callable(function, modality="text")


def test_a_width_that_changes_later_is_refused() -> None:
    def growing(texts: list[str]) -> Any:
        return [[1.0] * (3 if len(texts[0]) < 50 else 4)]

    encoder = from_callable(growing, modality="text")
    with pytest.raises(VectorError, match="width 4 where it gave 3"):
        encoder.encode([sample("x" * 60)])


def test_no_samples_give_no_rows() -> None:
    assert from_callable(lengths, modality="text").encode([]).shape == (0, 3)


def test_a_sample_of_another_modality_is_refused() -> None:
    encoder = from_callable(lengths, modality="text")
    with pytest.raises(ModalityMismatchError, match="reads text and was given image"):
        encoder.encode([sample(np.zeros((4, 4, 3), np.uint8), "image")])
