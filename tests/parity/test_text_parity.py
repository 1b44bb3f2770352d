"""The text encoder against sentence-transformers over the same weights."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from imprint.encoders.catalogue import load_encoder, minilm
from imprint.encoders.weights.cache import ModelCache
from imprint.encoders.weights.sources import fetch, usual_sources

sentence_transformers = pytest.importorskip("sentence_transformers")

if TYPE_CHECKING:
    from imprint.encoders.protocol import Encoder

pytestmark = [
    pytest.mark.train,
    # Warnings of the oracle's own libraries are not ours to fix.
    pytest.mark.filterwarnings("ignore"),
]

SHARED = Path(__file__).parents[2].parent / "shared"
ODD = (
    "🙂🙃 👩‍👩‍👧 🇨🇭 done",
    "أين بطاقتي؟",
    "איפה הכרטיס שלי",
    "naïve façade — Ωmega",
    "a",
    "\u200b\u200b",
    "[CLS] [SEP] [MASK] [PAD]",
    "word " * 3000,
    "x" * 5000,
    "日本語のテキスト 中文 한국어",
)


@pytest.fixture(scope="module")
def oracle(cache_dir: Path, text_encoder: Encoder, tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """sentence-transformers with the very files the encoder was built from, assembled by hand."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, Pooling, Transformer

    del text_encoder  # its fixture skips where no source has the weights
    files = fetch(minilm.PINNED, ModelCache(cache_dir), usual_sources())
    folder = tmp_path_factory.mktemp("oracle")
    for name, path in files.items():
        (folder / name).symlink_to(path)
    (folder / "config.json").write_text(CONFIG)
    (folder / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "BertTokenizer", "do_lower_case": true, "model_max_length": 256}'
    )
    transformer = Transformer(str(folder), max_seq_length=256)
    pooling = Pooling(384, pooling_mode="mean")
    return SentenceTransformer(modules=[transformer, pooling, Normalize()], device="cpu")


CONFIG = """{"architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu",
"hidden_size": 384, "intermediate_size": 1536, "num_attention_heads": 12, "num_hidden_layers": 6,
"layer_norm_eps": 1e-12, "max_position_embeddings": 512, "type_vocab_size": 2, "vocab_size": 30522,
"pad_token_id": 0}"""


def cosines(oracle, encoder: Encoder, texts: list[str]) -> np.ndarray:  # type: ignore[no-untyped-def]
    expected = oracle.encode(texts, batch_size=32, convert_to_numpy=True)
    rows = encoder.encode([minilm.text_sample(text) for text in texts])
    return np.einsum("ij,ij->i", rows, expected)


@pytest.fixture(scope="module")
def fp32(cache_dir: Path, model_mirror: Path | None, text_encoder: Encoder) -> Encoder:
    del text_encoder
    return load_encoder("minilm-l6-fp32", cache_dir=cache_dir, mirror=model_mirror)


def test_fp32_agrees_with_sentence_transformers_on_a_thousand_real_texts(
    oracle,
    fp32: Encoder,  # type: ignore[no-untyped-def]
) -> None:
    path = SHARED / "data/banking77/train.csv"
    if not path.is_file():
        pytest.skip("BANKING77 is not beside this checkout")
    with path.open(encoding="utf-8", newline="") as stream:
        texts = [row["text"] for row in csv.DictReader(stream)][::10][:1000]
    assert len(texts) == 1000
    assert cosines(oracle, fp32, texts).min() >= 0.9999


def test_fp32_agrees_with_sentence_transformers_on_odd_texts(oracle, fp32: Encoder) -> None:  # type: ignore[no-untyped-def]
    assert cosines(oracle, fp32, list(ODD)).min() >= 0.9999


def test_int8_stays_near_sentence_transformers(oracle, text_encoder: Encoder) -> None:  # type: ignore[no-untyped-def]
    texts = ["Where is my parcel?", "I lost my card", "the soup was too salty", *ODD]
    assert cosines(oracle, text_encoder, texts).min() >= 0.97
