"""A card that does not fit its file is refused with what differs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from encoders.tiny import sample, write_onnx
from imprint.encoders.catalogue import add, load_encoder
from imprint.encoders.weights.cache import ModelCache
from imprint.errors import InvalidOptionError, ModelHashError, VectorError
from imprint.types import Sound

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("card", "told"),
    [
        ({"input": "pixels"}, r"inputs pixels .* the file has the inputs x"),
        ({"output": "z"}, r"output z; .*outputs y"),
        ({"modality": "smell"}, "modality may be image, text, audio"),
        ({"dim": "four"}, "whole number"),
        ({"colour": "rgb"}, "unknown fields colour"),
        ({"normalize": False}, "normalize"),
        ({"preprocessing": {"side_px": 8, "mean": [0.5]}}, "three numbers"),
        ({"preprocessing": {"size": 8}}, "unknown fields"),
        ({"preprocessing": {}}, "lacks side_px"),
        ({"preprocessing": {"side_px": 8, "views": ["squeeze"]}}, "crop, stretch"),
        ({"preprocessing": {"side_px": 9}}, "cannot run on what its card describes"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(
    tmp_path: Path, card: dict[str, Any], told: str
) -> None:
    path = write_onnx(tmp_path, "image", **card)
    with pytest.raises(InvalidOptionError, match=told):
        add(path, cache_dir=tmp_path / "cache")
    assert ModelCache(tmp_path / "cache").versions() == []


def test_another_width_than_the_card_promises_is_refused(tmp_path: Path) -> None:
    path = write_onnx(tmp_path, "image", dim=5)
    with pytest.raises(VectorError, match=r"\(1, 4\).*promises \(1, 5\)"):
        add(path, cache_dir=tmp_path / "cache")


def test_another_hash_than_the_card_states_is_refused(tmp_path: Path) -> None:
    path = write_onnx(tmp_path, "image", sha256="0" * 64)
    with pytest.raises(ModelHashError, match="000000"):
        add(path, cache_dir=tmp_path / "cache")


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = write_onnx(tmp_path, "image")
    path.write_bytes(b"no model")
    card = json.loads(path.with_suffix(".json").read_text())
    from imprint.encoders.weights.files import sha256_of

    path.with_suffix(".json").write_text(json.dumps(card | {"sha256": sha256_of(path)}))
    with pytest.raises(InvalidOptionError, match="cannot be run"):
        add(path, cache_dir=tmp_path / "cache")


def test_a_file_without_a_card_is_told_which_to_write(tmp_path: Path) -> None:
    path = write_onnx(tmp_path, "image")
    path.with_suffix(".json").unlink()
    with pytest.raises(InvalidOptionError, match=r"write tiny-image\.json"):
        add(path, cache_dir=tmp_path / "cache")


@pytest.mark.parametrize("content", ["{", "[1]"])
def test_a_card_that_is_no_object_is_refused(tmp_path: Path, content: str) -> None:
    path = write_onnx(tmp_path, "image")
    path.with_suffix(".json").write_text(content)
    with pytest.raises(InvalidOptionError, match="JSON"):
        add(path, cache_dir=tmp_path / "cache")


@pytest.mark.parametrize(
    "steps",
    [
        {"tokenizer": "../secret.json", "max_tokens": 9},
        {"tokenizer": "none.json", "max_tokens": 9},
        {"max_tokens": 9},
    ],
)
def test_a_text_card_names_a_tokenizer_beside_it(tmp_path: Path, steps: dict[str, Any]) -> None:
    (tmp_path / "secret.json").write_text("{}")
    path = write_onnx(tmp_path / "files", "text", preprocessing=steps)
    with pytest.raises(InvalidOptionError, match="tokenizer"):
        add(path, cache_dir=tmp_path / "cache")


def test_preprocessing_is_part_of_the_version(tmp_path: Path) -> None:
    versions = set()
    for i, mean in enumerate(([0.0, 0.0, 0.0], [0.5, 0.5, 0.5])):
        steps = {"side_px": 8, "mean": mean}
        path = write_onnx(tmp_path / str(i), "image", preprocessing=steps)
        versions.add(add(path, cache_dir=tmp_path / "cache").version)
    assert len(versions) == 2


def test_defaults_written_out_are_the_same_version(tmp_path: Path) -> None:
    versions = set()
    for i, steps in enumerate(
        ({"side_px": 8}, {"side_px": 8, "views": ["crop"], "pooling": "none"})
    ):
        path = write_onnx(tmp_path / str(i), "image", preprocessing=steps)
        versions.add(add(path, cache_dir=tmp_path / "cache").version)
    assert len(versions) == 1


def test_a_recording_is_brought_to_the_rate_of_the_card(tmp_path: Path) -> None:
    path = write_onnx(tmp_path, "audio")
    add(path, cache_dir=tmp_path / "cache")
    encoder = load_encoder("tiny-audio", cache_dir=tmp_path / "cache")

    def tone(rate_hz: int) -> Sound:
        # Whole periods in the recording, so that its spectrum is exact at both rates.
        seconds = np.arange(rate_hz) / rate_hz
        return Sound(np.sin(2 * np.pi * 500 * seconds).astype(np.float32), rate_hz)

    vectors = encoder.encode([sample(tone(rate_hz), "audio") for rate_hz in (8000, 16_000, 44_100)])
    np.testing.assert_allclose(vectors @ vectors.T, 1.0, atol=1e-3)


def test_a_short_recording_is_followed_by_silence(tmp_path: Path) -> None:
    path = write_onnx(tmp_path, "audio")
    add(path, cache_dir=tmp_path / "cache")
    encoder = load_encoder("tiny-audio", cache_dir=tmp_path / "cache")
    short = np.ones(5, np.float32)
    padded = np.concatenate([short, np.zeros(11, np.float32)])
    vectors = encoder.encode([sample(Sound(w, 8000), "audio") for w in (short, padded)])
    assert np.array_equal(*vectors)
