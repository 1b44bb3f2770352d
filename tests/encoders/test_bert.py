"""The sentence encoder at work: long texts, odd texts, notes, background."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from encoders.tiny import sample, write_bert
from imprint.encoders.catalogue import add, load_encoder
from imprint.errors import VectorError

if TYPE_CHECKING:
    from pathlib import Path

    from imprint.encoders.bert import BertEncoder
    from imprint.encoders.protocol import Encoder

ODD = (
    "🙂🙃 👩‍👩‍👧 🇨🇭",
    "أين بطاقتي؟",
    "איפה הכרטיס שלי",
    "a",
    "\u200bzero width",
    "naïve façade — Ωmega",
    "x" * 5000,
    "word " * 3000,
    "\t tabs \n and lines",
)


@pytest.mark.parametrize("text", ODD)
def test_odd_texts_get_a_direction_of_their_own(text_encoder: Encoder, text: str) -> None:
    (vector,) = text_encoder.encode([sample(text)])
    assert abs(np.linalg.norm(vector) - 1) < 1e-5


def test_near_texts_are_nearer_than_far_ones(text_encoder: Encoder) -> None:
    texts = ("I lost my card", "my card is missing", "the soup was too salty")
    vectors = text_encoder.encode([sample(text) for text in texts])
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.3


def test_a_text_longer_than_the_model_reads_is_cut_and_noted(tmp_path: Path) -> None:
    add(write_bert(tmp_path / "tiny"), cache_dir=tmp_path)  # reads 9 tokens, two of them marks
    encoder: BertEncoder = load_encoder("tiny", cache_dir=tmp_path)  # type: ignore[assignment]
    fits, longer = sample("card " * 7), sample("card " * 7 + "lost")
    assert encoder.notes(fits) == ()
    assert encoder.notes(longer) == ("only the first 9 tokens were read",)
    assert np.array_equal(*encoder.encode([fits, longer]))


def test_a_network_without_direction_is_an_error_not_a_vector(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    folder = write_bert(tmp_path / "tiny")
    weights = load_file(folder / "model.safetensors")
    last = "encoder.layer.1.output.LayerNorm"
    weights |= {f"{last}.{part}": np.zeros(8, np.float32) for part in ("weight", "bias")}
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(VectorError, match="no direction for sample 0 of 1"):
        add(folder, cache_dir=tmp_path)


def test_half_precision_weights_are_read(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    folder = write_bert(tmp_path / "tiny")
    full = load_file(folder / "model.safetensors")
    add(folder, cache_dir=tmp_path, name="full")
    save_file({k: v.astype(np.float16) for k, v in full.items()}, folder / "model.safetensors")
    add(folder, cache_dir=tmp_path, name="half")
    vectors = [
        load_encoder(name, cache_dir=tmp_path).encode([sample("where is my card")])
        for name in ("full", "half")
    ]
    np.testing.assert_allclose(*vectors, atol=0.01)


def test_weights_under_a_prefix_are_found(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    folder = write_bert(tmp_path / "tiny")
    plain = load_file(folder / "model.safetensors")
    save_file({f"bert.{k}": v for k, v in plain.items()}, folder / "model.safetensors")
    assert add(folder, cache_dir=tmp_path).ready
