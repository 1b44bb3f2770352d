"""Reads what a BERT-style sentence-embedding folder says of itself.

Such a folder holds config.json, tokenizer.json, model.safetensors and, as sentence-transformers
writes them, modules.json, sentence_bert_config.json and a pooling configuration.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from imprint.errors import InvalidOptionError

if TYPE_CHECKING:
    from pathlib import Path

Pooling = Literal["mean", "cls"]

WEIGHTS = "model.safetensors"
TOKENIZER = "tokenizer.json"
_MODULES = ("Transformer", "Pooling", "Normalize")
# Positions of RoBERTa start after the padding number; BERT's start at zero.
_MODEL_TYPES = {"bert": 0, "roberta": 1, "xlm-roberta": 1}


@dataclass(frozen=True, slots=True)
class BertShape:
    """Everything but the weights that decides what a BERT-style network computes."""

    hidden: int
    n_heads: int
    n_layers: int
    epsilon: float
    activation: str
    first_position: int
    max_tokens: int
    pooling: Pooling

    def identity(self) -> dict[str, Any]:
        """Part of the encoder's version."""
        return asdict(self)


def read_shape(folder: Path) -> BertShape:
    """Read a folder's shape.

    Raises:
        InvalidOptionError: a file is missing or unreadable, or the network is of a kind that
            cannot be built exactly; the message names the field and its value.
    """
    for name in ("config.json", TOKENIZER, WEIGHTS):
        if not (folder / name).is_file():
            raise InvalidOptionError(f"a sentence-embedding folder needs {name}; it is missing")
    config = _json(folder, "config.json")
    _check_kind(config, _json(folder, "modules.json", default=[]))
    first = (int(config.get("pad_token_id", 1)) + 1) * _MODEL_TYPES[config["model_type"]]
    try:
        return BertShape(
            hidden=int(config["hidden_size"]),
            n_heads=int(config["num_attention_heads"]),
            n_layers=int(config["num_hidden_layers"]),
            epsilon=float(config["layer_norm_eps"]),
            activation=str(config["hidden_act"]),
            first_position=first,
            max_tokens=_max_tokens(folder, int(config["max_position_embeddings"]) - first),
            pooling=_pooling(folder),
        )
    except KeyError as error:
        raise InvalidOptionError(f"config.json does not say {error}") from error


def _json(folder: Path, name: str, default: Any = None) -> Any:
    path = folder / name
    if default is not None and not path.is_file():
        return default
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidOptionError(f"{name} cannot be read as JSON") from error


def _check_kind(config: dict[str, Any], modules: list[dict[str, Any]]) -> None:
    wanted: dict[str, tuple[Any, ...]] = {
        "model_type": tuple(_MODEL_TYPES),
        "hidden_act": ("gelu", "relu"),
        "position_embedding_type": ("absolute", None),
    }
    for field, values in wanted.items():
        if config.get(field) not in values:
            known = ", ".join(str(value) for value in values if value)
            raise InvalidOptionError(
                f"config.json says {field} = {config.get(field)!r}; only {known} can be built. "
                "Export the model to ONNX and add that file with a card instead"
            )
    for module in modules:
        kind = str(module.get("type", "")).rpartition(".")[2]
        if kind not in _MODULES:
            raise InvalidOptionError(
                f"modules.json adds a {kind} step, which cannot be built; export the model to "
                "ONNX and add that file with a card instead"
            )


def _max_tokens(folder: Path, n_positions: int) -> int:
    stated = _json(folder, "sentence_bert_config.json", default={}).get("max_seq_length")
    if stated is None:
        stated = _json(folder, "tokenizer_config.json", default={}).get("model_max_length")
    return min(int(stated or n_positions), n_positions)


def _pooling(folder: Path) -> Pooling:
    config = _json(folder, "1_Pooling/config.json", default={"pooling_mode_mean_tokens": True})
    # Newer folders name the mode; older ones hold one flag per mode.
    named = config.get("pooling_mode")
    modes = (
        [named]
        if named
        else [
            key.removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token")
            for key, on in config.items()
            if key.startswith("pooling_mode_") and on
        ]
    )
    if modes == ["mean"]:
        return "mean"
    if modes == ["cls"]:
        return "cls"
    raise InvalidOptionError(
        f"the pooling configuration asks for {', '.join(map(str, modes)) or 'nothing'}; only "
        "mean and cls can be built"
    )
