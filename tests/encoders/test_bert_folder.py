"""What a sentence-embedding folder may say, and what is refused by name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from encoders.tiny import write_bert
from imprint.encoders.weights.bert_folder import read_shape
from imprint.errors import InvalidOptionError

if TYPE_CHECKING:
    from pathlib import Path


def test_the_shape_is_read_from_all_files(tmp_path: Path) -> None:
    shape = read_shape(write_bert(tmp_path / "m", pooling="cls"))
    assert (shape.hidden, shape.n_heads, shape.n_layers) == (8, 2, 2)
    assert (shape.pooling, shape.max_tokens, shape.first_position) == ("cls", 9, 0)


def test_positions_of_roberta_start_after_padding_and_limit_the_length(tmp_path: Path) -> None:
    config = {"model_type": "roberta", "pad_token_id": 1, "max_position_embeddings": 7}
    shape = read_shape(write_bert(tmp_path / "m", config=config))
    assert (shape.first_position, shape.max_tokens) == (2, 5)


def test_newer_pooling_configurations_name_the_mode(tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "m")
    (folder / "1_Pooling/config.json").write_text(json.dumps({"pooling_mode": "cls"}))
    assert read_shape(folder).pooling == "cls"


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"model_type": "distilbert"}, "model_type = 'distilbert'"),
        ({"hidden_act": "gelu_new"}, "hidden_act = 'gelu_new'"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
    ],
)
def test_a_network_that_cannot_be_built_exactly_is_refused(
    tmp_path: Path, config: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidOptionError, match=named):
        read_shape(write_bert(tmp_path / "m", config=config))


def test_max_pooling_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidOptionError, match="max"):
        read_shape(write_bert(tmp_path / "m", pooling="max"))


def test_a_further_dense_step_is_refused(tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "m")
    (folder / "modules.json").write_text(json.dumps([{"type": "sentence_transformers.x.Dense"}]))
    with pytest.raises(InvalidOptionError, match="Dense"):
        read_shape(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = write_bert(tmp_path / "m")
    (folder / name).unlink()
    with pytest.raises(InvalidOptionError, match=name):
        read_shape(folder)


def test_a_field_left_out_is_named(tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    del config["hidden_size"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InvalidOptionError, match="hidden_size"):
        read_shape(folder)


def test_broken_json_is_refused(tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "m")
    (folder / "config.json").write_text("{")
    with pytest.raises(InvalidOptionError, match="JSON"):
        read_shape(folder)
