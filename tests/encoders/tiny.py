"""Small models made on the spot: a BERT-style folder, ONNX files with cards, samples."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from imprint.types import RawItem, Sample, Sound

if TYPE_CHECKING:
    from pathlib import Path

    from imprint.types import Modality

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "where", "is", "my", "parcel", "card", "lost", "the")
HIDDEN = 8
N_HEADS = 2
N_LAYERS = 2
WIDE = 16
N_POSITIONS = 12


def sample(value: Any, modality: Modality = "text") -> Sample:
    digest = hashlib.sha256(repr(value).encode()).hexdigest()
    return Sample(modality, value, digest, RawItem(b""))


def samples_of(modality: Modality) -> list[Sample]:
    """A few different samples of a modality."""
    if modality == "text":
        texts = ("where is my card", "the parcel is lost", "the", "card card where is my lost")
        return [sample(text) for text in texts]
    if modality == "audio":
        waves = (np.sin(np.arange(8000) * pitch).astype(np.float32) for pitch in (0.1, 0.2, 0.7))
        return [sample(Sound(wave, 8000), "audio") for wave in waves]
    rng = np.random.default_rng(3)
    sides = ((20, 30), (64, 64), (7, 90))
    return [
        sample(rng.integers(0, 256, (*side, 3), dtype=np.uint8) // (i + 1), "image")
        for i, side in enumerate(sides)
    ]


def write_tokenizer(path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.enable_padding(length=10)  # as published files often do; it must be undone
    tokenizer.save(str(path))


def tiny_weights(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)

    def drawn(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.5, shape).astype(np.float32)

    weights = {
        "embeddings.word_embeddings.weight": drawn(len(WORDS), HIDDEN),
        "embeddings.position_embeddings.weight": drawn(N_POSITIONS, HIDDEN),
        "embeddings.token_type_embeddings.weight": drawn(2, HIDDEN),
    }
    norms = ["embeddings."]
    for i in range(N_LAYERS):
        prefix = f"encoder.layer.{i}."
        norms += [f"{prefix}attention.output.", f"{prefix}output."]
        shapes = {f"attention.self.{part}": (HIDDEN, HIDDEN) for part in ("query", "key", "value")}
        shapes |= {"attention.output.dense": (HIDDEN, HIDDEN)}
        shapes |= {"intermediate.dense": (WIDE, HIDDEN), "output.dense": (HIDDEN, WIDE)}
        for name, shape in shapes.items():
            weights[f"{prefix}{name}.weight"] = drawn(*shape)
            weights[f"{prefix}{name}.bias"] = drawn(shape[0])
    for norm in norms:
        weights[f"{norm}LayerNorm.weight"] = 1 + drawn(HIDDEN)
        weights[f"{norm}LayerNorm.bias"] = drawn(HIDDEN)
    return weights


def write_bert(
    folder: Path, *, seed: int = 0, pooling: str = "mean", config: dict[str, Any] | None = None
) -> Path:
    """Write a folder as sentence-transformers would."""
    from safetensors.numpy import save_file

    (folder / "1_Pooling").mkdir(parents=True)
    shape = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": HIDDEN,
        "num_attention_heads": N_HEADS,
        "num_hidden_layers": N_LAYERS,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": N_POSITIONS,
        "pad_token_id": 0,
    }
    modes = {f"pooling_mode_{mode}": False for mode in ("cls_token", "mean_tokens", "max_tokens")}
    modes["pooling_mode_cls_token" if pooling == "cls" else f"pooling_mode_{pooling}_tokens"] = True
    modules = [{"type": f"sentence_transformers.models.{m}"} for m in ("Transformer", "Pooling")]
    files = {
        "config.json": shape | (config or {}),
        "1_Pooling/config.json": modes,
        "modules.json": modules,
        "sentence_bert_config.json": {"max_seq_length": 9},
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    save_file(tiny_weights(seed), folder / "model.safetensors")
    write_tokenizer(folder / "tokenizer.json")
    return folder


def write_onnx(folder: Path, modality: Modality, /, **card: Any) -> Path:
    """Write an ONNX file of a modality with its card; `card` overrides fields."""
    from onnx import TensorProto, helper, numpy_helper

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(5)
    weight = rng.normal(size=({"text": len(WORDS), "image": 3, "audio": 16}[modality], 4))
    nodes, shape, kind = {
        "text": (
            [helper.make_node("Gather", ["w", "x"], ["y"])],
            [1, "n"],
            TensorProto.INT64,
        ),
        "image": (
            [
                helper.make_node("ReduceMean", ["x"], ["m"], axes=[2, 3], keepdims=0),
                helper.make_node("MatMul", ["m", "w"], ["y"]),
            ],
            [1, 3, 8, 8],
            TensorProto.FLOAT,
        ),
        "audio": ([helper.make_node("MatMul", ["x", "w"], ["y"])], [1, 16], TensorProto.FLOAT),
    }[modality]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weight.astype(np.float32), "w")],
    )
    opset = helper.make_opsetid("", 17)
    path = folder / f"tiny-{modality}.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()
    )
    steps: dict[str, Any] = {
        "text": {"tokenizer": "tokenizer.json", "max_tokens": 9, "pooling": "mean"},
        "image": {"side_px": 8},
        "audio": {"rate_hz": 8000, "n_frames": 16},
    }
    if modality == "text":
        write_tokenizer(folder / "tokenizer.json")
    stated = {
        "name": f"tiny-{modality}",
        "modality": modality,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "input": "x",
        "output": "y",
        "dim": 4,
        "preprocessing": steps[modality],
        "license": "Apache-2.0",
    }
    path.with_suffix(".json").write_text(json.dumps(stated | card))
    return path
