"""Sentence-embedding folders: where tuning starts from, and what it leaves behind.

What is left behind is an ordinary folder for `imprint models add`, with a card that says from what
and how it was made.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imprint.encoders.catalogue import minilm
from imprint.encoders.weights.bert_folder import TOKENIZER, WEIGHTS, read_shape
from imprint.encoders.weights.cache import ModelCache
from imprint.encoders.weights.files import sha256_of, silent
from imprint.encoders.weights.sources import fetch, usual_sources
from imprint.errors import EncoderNotFoundError, InvalidOptionError

if TYPE_CHECKING:
    from imprint.encoders.weights.files import Progress
    from imprint.train.adapt.network import SentenceNetwork

CARD = "adapted.json"
_POSITIONS = "embeddings.position_embeddings.weight"


@dataclass(frozen=True, slots=True)
class Start:
    """The encoder to start from: "minilm-l6" or the path of a sentence-embedding folder.

    The built-in one is looked for in the model cache and the mirror folder first.
    """

    name: str
    cache_dir: Path
    mirror: Path | None = None


def start_folder(start: Start, scratch: Path, progress: Progress = silent) -> Path:
    """Folder of the encoder to start from; the built-in one is laid out in `scratch`.

    Raises:
        EncoderNotFoundError: there is no such encoder.
    """
    given = Path(start.name)
    if (given / WEIGHTS).is_file():
        read_shape(given)  # refuses what cannot be built as an encoder later
        return given
    if not start.name.startswith(minilm.FAMILY):
        raise EncoderNotFoundError(
            f"{given.name} is neither {minilm.FAMILY} nor a sentence-embedding folder; adapting "
            "starts from one of those"
        )
    cache = ModelCache(start.cache_dir)
    files = fetch(minilm.PINNED, cache, usual_sources(start.mirror), progress)
    for name, path in files.items():
        (scratch / name).unlink(missing_ok=True)
        (scratch / name).symlink_to(path.resolve())
    _write(scratch / "config.json", _bert_config(scratch / WEIGHTS))
    _write(scratch / "sentence_bert_config.json", {"max_seq_length": minilm.SHAPE.max_tokens})
    return scratch


def _bert_config(weights: Path) -> dict[str, Any]:
    from safetensors import safe_open

    with safe_open(weights, framework="numpy") as tensors:
        n_positions = tensors.get_slice(_POSITIONS).get_shape()[0]
    shape = minilm.SHAPE
    return {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "hidden_size": shape.hidden,
        "num_attention_heads": shape.n_heads,
        "num_hidden_layers": shape.n_layers,
        "layer_norm_eps": shape.epsilon,
        "hidden_act": shape.activation,
        "max_position_embeddings": n_positions,
        "pad_token_id": 0,
    }


def write_folder(network: SentenceNetwork, start: Path, out: Path, card: dict[str, Any]) -> Path:
    """Write the tuned encoder beside the target, then rename it there.

    Raises:
        InvalidOptionError: the target is there already.
    """
    from safetensors.torch import save_file

    if out.exists():
        raise InvalidOptionError(f"the folder {out.name} is there already; name another with --out")
    draft = out.with_name(f".{out.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    weights = {name: w.detach().contiguous() for name, w in network.merged().items()}
    save_file(weights, draft / WEIGHTS, metadata={"format": "pt"})
    for name in ("config.json", TOKENIZER, "sentence_bert_config.json"):
        if (start / name).is_file():
            shutil.copyfile(start / name, draft / name)
    pooling = f"pooling_mode_{network.shape.pooling}_tokens".replace("cls_tokens", "cls_token")
    (draft / "1_Pooling").mkdir()
    width = {"word_embedding_dimension": network.shape.hidden, pooling: True}
    _write(draft / "1_Pooling" / "config.json", width)
    _write(draft / "modules.json", _modules())
    _write(draft / CARD, {**card, "weights_sha256": sha256_of(draft / WEIGHTS)})
    draft.rename(out)
    return out


def _modules() -> list[dict[str, Any]]:
    steps = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))
    return [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(steps)
    ]


def _write(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
