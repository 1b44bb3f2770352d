"""One suite over every kind of encoder, each with an oracle that is not itself.

Oracles: the toy against shared words, the callable against its function, ONNX files against numpy,
the sentence folders against themselves in float64 (encoders/test_bert_graph.py computes them
by hand), MiniLM against sentence-transformers (parity/test_text_parity.py).
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from encoders.test_bert_graph import by_hand
from encoders.tiny import WORDS, sample, samples_of, tiny_weights, write_bert, write_onnx
from imprint.encoders import Encoder, ToyEncoder, from_callable
from imprint.encoders.callables import CallableEncoder
from imprint.encoders.catalogue import add, load_encoder
from imprint.encoders.weights.bert_folder import read_shape
from imprint.errors import EncoderNotFoundError, ModalityMismatchError
from imprint.vectors import unit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KINDS = (
    "toy-text", "toy-image", "toy-audio", "callable", "folder-fp32", "folder-int8",
    "onnx-text", "onnx-image", "onnx-audio", "minilm-l6-fp32", "minilm-l6-int8",
    "image-small", "image-small-int8", "audio-small", "audio-small-int8",
)  # fmt: skip


def letters(texts: list[str]) -> list[list[float]]:
    return [[1.0 + text.count(letter) for letter in "aeiou"] for text in texts]


@pytest.fixture(scope="module", params=KINDS)
def encoder(
    request: pytest.FixtureRequest,
    cache_dir: Path,
    model_mirror: Path | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Encoder:
    kind: str = request.param
    own = tmp_path_factory.mktemp("encoder")
    if kind.startswith(("minilm", "image-small", "audio-small")):
        try:
            return load_encoder(kind, cache_dir=cache_dir, mirror=model_mirror)
        except EncoderNotFoundError as error:
            pytest.skip(f"no source has its weights: {error}")
    makers: dict[str, Callable[[str], Encoder]] = {
        "toy": ToyEncoder,  # type: ignore[arg-type]
        "callable": lambda rest: from_callable(letters, modality="text"),
        "folder": lambda rest: _added(write_bert(own / f"folder-{rest}"), own, rest),
        "onnx": lambda rest: _added(write_onnx(own, rest), own, "fp32"),  # type: ignore[arg-type]
    }
    first, _, rest = kind.partition("-")
    return makers[first](rest)


def _added(path: Path, cache: Path, variant: str) -> Encoder:
    listing = add(path, cache_dir=cache, variant=variant)  # type: ignore[arg-type]
    return load_encoder(listing.name, cache_dir=cache)


def test_it_keeps_the_protocol(encoder: Encoder) -> None:
    assert isinstance(encoder, Encoder)
    assert re.fullmatch(r"[A-Za-z0-9._-]+@[0-9a-f]{16}", encoder.version)
    assert encoder.version.partition("@")[0] == encoder.name
    bank = encoder.background
    assert bank is None or (bank.shape[1] == encoder.dim and bank.dtype == np.float32)


def test_rows_are_float32_of_length_one_in_the_order_given(encoder: Encoder) -> None:
    samples = samples_of(encoder.modality)
    rows = encoder.encode(samples)
    assert rows.shape == (len(samples), encoder.dim)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows.astype(np.float64), axis=1), 1, atol=1e-5)
    assert np.array_equal(encoder.encode(samples[::-1])[::-1], rows)


def test_a_sample_gets_the_same_bits_alone_and_in_any_company(encoder: Encoder) -> None:
    samples = samples_of(encoder.modality)
    alone = np.concatenate([encoder.encode([one]) for one in samples])
    assert np.array_equal(encoder.encode(samples), alone)
    assert np.array_equal(encoder.encode(samples * 9)[len(samples) :][: len(samples)], alone)


def test_no_samples_give_no_rows(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.dim)


def test_a_sample_of_another_modality_is_refused(encoder: Encoder) -> None:
    other = "image" if encoder.modality == "text" else "text"
    with pytest.raises(ModalityMismatchError, match=encoder.modality):
        encoder.encode([*samples_of(encoder.modality), *samples_of(other)])  # type: ignore[arg-type]


def test_threads_do_not_disturb_each_other(encoder: Encoder) -> None:
    samples = samples_of(encoder.modality)
    expected = encoder.encode(samples)
    with ThreadPoolExecutor(8) as pool:
        for rows in pool.map(lambda _: encoder.encode(samples), range(40)):
            assert np.array_equal(rows, expected)


def test_it_agrees_with_its_oracle(encoder: Encoder, tmp_path: Path) -> None:
    samples = samples_of(encoder.modality)
    rows = encoder.encode(samples)
    if isinstance(encoder, CallableEncoder):
        np.testing.assert_allclose(rows, unit(letters([s.value for s in samples])), atol=1e-6)  # type: ignore[misc]
    elif encoder.name.startswith("folder"):
        shape = read_shape(write_bert(tmp_path / "m"))
        expected = np.stack(
            [by_hand(tiny_weights(), _numbers(str(s.value)), shape) for s in samples]
        )
        least = 0.99 if encoder.name.endswith("int8") else 1 - 1e-6
        assert np.einsum("ij,ij->i", rows, expected).min() > least
    elif encoder.name == "tiny-text":
        weight = np.random.default_rng(5).normal(size=(len(WORDS), 4))
        expected = unit([weight[_numbers(str(s.value))].mean(axis=0) for s in samples])
        np.testing.assert_allclose(rows, expected, atol=1e-5)
    elif encoder.name == "tiny-audio":
        weight = np.random.default_rng(5).normal(size=(16, 4))
        expected = unit([s.value.waveform[:16] @ weight for s in samples])  # type: ignore[union-attr]
        np.testing.assert_allclose(rows, expected, atol=1e-5)


def _numbers(text: str) -> list[int]:
    """Token numbers as the tiny tokenizer should give them: marks around, cut to nine."""
    words = [WORDS.index(word) if word in WORDS else 1 for word in text.split()]
    return [2, *words[:7], 3]


def test_the_toy_puts_texts_that_share_words_near_each_other() -> None:
    texts = ("lost my card", "my card is lost", "soup too salty")
    near, same, far = ToyEncoder("text").encode([sample(text) for text in texts])
    assert near @ same > 0.6 > near @ far
