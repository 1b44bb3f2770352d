"""From a trained network to the shipped file: front end, network and evening out in one graph."""

from __future__ import annotations

import copy
import hashlib
import json
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from imprint.encoders.audio.encoder import SoundEncoder
from imprint.encoders.audio.windows import SoundRecipe, windows
from imprint.train.audio_small.front import RANGE_LOG10, RATE_HZ, Front
from imprint.train.audio_small.network import DIM
from imprint.vectors import mean_direction

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from imprint.train.audio_small.corpus import Corpus
    from imprint.train.audio_small.network import Network
    from imprint.types import Sample

OPSET = 17
EVENING = 0.25
_LEAST_SPREAD = 1e-3
_AT_ONCE = 64
# As torch's exporter names them; 8 bits would drown quiet bands.
FRONT_NODES = ("/front/Conv", "/front/Add", "/front/Add_1", "/network/Add")


class Embedding(nn.Module):
    """The whole path from waveforms (n, n_frames) at 16 kHz to unit vectors (n, DIM).

    After the network, the mean over the corpora is taken off and directions are evened out: each
    principal direction is divided by its variance to the power `EVENING` (0.5 would be whitening).
    """

    def __init__(self, network: Network, center: torch.Tensor, turn: torch.Tensor) -> None:
        super().__init__()
        self.front = Front()
        self.network = copy.deepcopy(network).eval()
        self.register_buffer("center", center)
        self.register_buffer("turn", turn)

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        """Unit vectors."""
        plain = self.network(self.front(waveform))
        even = (plain - self.get_buffer("center")) @ self.get_buffer("turn")
        return functional.normalize(even, dim=1)


def embedding_of(network: Network, corpora: Sequence[Corpus]) -> Embedding:
    """Center and even out over one rendition of every class, every corpus counting the same."""
    means, spreads = [], []
    for corpus in corpora:
        rows = torch.from_numpy(corpus.pictures[:, 0])[:, None].float() / 255.0 - 1.0
        with torch.no_grad():
            parts = [network(part * RANGE_LOG10) for part in torch.split(rows, _AT_ONCE)]
        vectors = torch.cat(parts).double()
        means.append(vectors.mean(dim=0))
        spreads.append(vectors.T @ vectors / len(vectors))
    center = torch.stack(means).mean(dim=0)
    spread = torch.stack(spreads).mean(dim=0) - torch.outer(center, center)
    variance, directions = torch.linalg.eigh(spread)
    turn = directions * (variance.clamp(min=0) + _LEAST_SPREAD * variance.max()) ** -EVENING
    return Embedding(network, center.float(), turn.float()).eval()


def write_onnx(embedding: Embedding, path: Path) -> None:
    """Write the graph: one input `waveform`, one output `vector`, any length."""
    example = torch.zeros(1, RATE_HZ)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch speaks of its own exporters' future
        torch.onnx.export(
            embedding,
            (example,),
            str(path),
            input_names=["waveform"],
            output_names=["vector"],
            opset_version=OPSET,
            dynamic_axes={"waveform": {0: "n", 1: "n_frames"}, "vector": {0: "n"}},
            dynamo=False,
        )


def write_model(
    embedding: Embedding, folder: Path, name: str, story: dict[str, Any]
) -> SoundEncoder:
    """Write `<name>.onnx` and `<name>.json` and open them."""
    path = folder / f"{name}.onnx"
    write_onnx(embedding, path)
    return _with_card(path, name, {"numeric": "fp32", **story})


def write_eight_bit_model(
    encoder: SoundEncoder, name: str, samples: Sequence[Sample], story: dict[str, Any]
) -> SoundEncoder:
    """Write the 8-bit twin beside it: convolutions of the network in int8, the front end in fp32.

    The ranges of activations are set from `samples`, so one recording's vector never depends on
    another.
    """
    from imprint.encoders.models.eight_bit import write_eight_bit

    path = encoder.model_path.with_name(f"{name}.onnx")
    heard = [windows(one.value, encoder.recipe)[0][None] for one in samples]  # type: ignore[arg-type]
    write_eight_bit(encoder.model_path, path, heard, keep=FRONT_NODES)
    return _with_card(path, name, {"numeric": "convolutions in int8, the rest in fp32", **story})


def _with_card(path: Path, name: str, story: dict[str, Any]) -> SoundEncoder:
    card = {
        "format": "sound-onnx.v1",
        "name": name,
        "modality": "audio",
        "dim": DIM,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "preprocessing": SoundRecipe().to_json(),
        **story,
    }
    shown = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
    path.with_suffix(".json").write_text(shown, encoding="utf-8")
    return SoundEncoder(path, card)


def parity(embedding: Embedding, encoder: SoundEncoder, samples: Sequence[Sample]) -> float:
    """Smallest cosine between torch's vectors and the exported file's."""
    expected = []
    for sample in samples:
        heard = windows(sample.value, encoder.recipe)  # type: ignore[arg-type]
        with torch.no_grad():
            rows = [embedding(torch.from_numpy(one)[None])[0].numpy() for one in heard]
        expected.append(mean_direction(np.stack(rows)))
    return float((np.stack(expected) * encoder.encode(samples)).sum(axis=1).min())
