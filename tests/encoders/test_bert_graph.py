"""The graph against the same network written out in numpy, step by step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from encoders.tiny import HIDDEN, N_HEADS, N_LAYERS, tiny_weights, write_bert
from imprint.encoders.bert_graph import GRAPH, TENSORS, write_graph
from imprint.encoders.session import open_session
from imprint.encoders.weights.bert_folder import BertShape, read_shape
from imprint.errors import InvalidOptionError

if TYPE_CHECKING:
    from pathlib import Path

erf = np.vectorize(math.erf)


def by_hand(weights: dict[str, np.ndarray], numbers: list[int], shape: BertShape) -> np.ndarray:
    """One text through the network in float64."""
    w = {name: tensor.astype(np.float64) for name, tensor in weights.items()}

    def norm(x: np.ndarray, prefix: str) -> np.ndarray:
        centered = x - x.mean(axis=1, keepdims=True)
        scaled = centered / np.sqrt((centered**2).mean(axis=1, keepdims=True) + shape.epsilon)
        return scaled * w[f"{prefix}LayerNorm.weight"] + w[f"{prefix}LayerNorm.bias"]

    def dense(x: np.ndarray, prefix: str) -> np.ndarray:
        return x @ w[f"{prefix}.weight"].T + w[f"{prefix}.bias"]

    first = shape.first_position
    x = w["embeddings.word_embeddings.weight"][numbers]
    x = x + w["embeddings.position_embeddings.weight"][first : first + len(numbers)]
    x = norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.")
    for i in range(N_LAYERS):
        prefix = f"encoder.layer.{i}."
        q, k, v = (dense(x, f"{prefix}attention.self.{n}") for n in ("query", "key", "value"))
        width = HIDDEN // N_HEADS
        heads = []
        for head in range(N_HEADS):
            part = slice(head * width, (head + 1) * width)
            scores = np.exp(q[:, part] @ k[:, part].T / math.sqrt(width))
            heads.append(scores / scores.sum(axis=1, keepdims=True) @ v[:, part])
        attended = dense(np.concatenate(heads, axis=1), f"{prefix}attention.output.dense")
        x = norm(attended + x, f"{prefix}attention.output.")
        wide = dense(x, f"{prefix}intermediate.dense")
        gelu = shape.activation == "gelu"
        wide = 0.5 * wide * (1 + erf(wide / math.sqrt(2))) if gelu else np.maximum(wide, 0)
        x = norm(dense(wide, f"{prefix}output.dense") + x, f"{prefix}output.")
    pooled = x[0] if shape.pooling == "cls" else x.mean(axis=0)
    return pooled / np.linalg.norm(pooled)


def by_graph(folder: Path, numbers: list[int], shape: BertShape, variant: Any) -> np.ndarray:
    weights = tiny_weights()
    write_graph(folder, weights.__getitem__, shape, variant)
    session = open_session(folder / GRAPH, "tiny", optimize=False)
    return session.run(None, {"token_numbers": np.array([numbers], dtype=np.int64)})[0][0]


@pytest.mark.parametrize("numbers", [[2, 3], [2, 4, 5, 6, 7, 3], [2, *[4, 9, 10] * 2, 8, 3]])
@pytest.mark.parametrize(
    ("pooling", "config"),
    [
        ("mean", {}),
        ("cls", {}),
        ("mean", {"hidden_act": "relu"}),
        ("mean", {"model_type": "roberta", "pad_token_id": 1}),
    ],
)
def test_the_graph_computes_what_the_network_does_by_hand(
    tmp_path: Path, numbers: list[int], pooling: str, config: dict[str, Any]
) -> None:
    shape = read_shape(write_bert(tmp_path / "model", pooling=pooling, config=config))
    expected = by_hand(tiny_weights(), numbers, shape)
    np.testing.assert_allclose(by_graph(tmp_path, numbers, shape, "fp32"), expected, atol=2e-6)
    assert by_graph(tmp_path, numbers, shape, "int8") @ expected > 0.99


def test_int8_keeps_tensors_in_a_quarter_of_the_bytes(tmp_path: Path) -> None:
    shape = read_shape(write_bert(tmp_path / "model"))
    sizes = {}
    for variant in ("fp32", "int8"):
        (tmp_path / variant).mkdir()
        big = {name: np.tile(t, (40, 1)) for name, t in tiny_weights().items() if "word" in name}
        weights = tiny_weights() | big
        write_graph(tmp_path / variant, weights.__getitem__, shape, variant)  # type: ignore[arg-type]
        sizes[variant] = (tmp_path / variant / TENSORS).stat().st_size
    assert sizes["int8"] < 0.6 * sizes["fp32"]  # small tables: scales and page gaps weigh too


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    shape = read_shape(write_bert(tmp_path / "model"))
    weights = tiny_weights()
    del weights["encoder.layer.1.output.dense.bias"]
    with pytest.raises(InvalidOptionError, match=r"encoder\.layer\.1\.output\.dense\.bias"):
        write_graph(tmp_path, weights.__getitem__, shape, "fp32")
