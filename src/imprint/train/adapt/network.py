"""A BERT-style sentence encoder as torch sees it: lower layers frozen, upper ones to be tuned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from imprint.encoders.bert import open_tokenizer
from imprint.encoders.weights.bert_folder import TOKENIZER, WEIGHTS, read_shape
from imprint.errors import InvalidOptionError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from imprint.types import UnitVectors

_BATCH_TOKENS = 4096
_TRAINED_TOKENS = 768
_HIDDEN = -1e9  # added to attention scores of padding


class SentenceNetwork(nn.Module):
    """Upper layers over cached states of the lower ones, pooled to unit vectors as on ONNX.

    The folder is one that `imprint models add` takes. Attention is computed as written, without
    fused kernels, so that gradients are the same on every machine of one kind.
    """

    def __init__(self, folder: Path, n_layers: int) -> None:
        super().__init__()
        self.shape = read_shape(folder)
        if n_layers > self.shape.n_layers:
            raise InvalidOptionError(
                f"n_layers is {n_layers}; this encoder has {self.shape.n_layers} layers"
            )
        self.tokenizer = open_tokenizer(folder / TOKENIZER, self.shape.max_tokens)
        self.model: Any = _opened(folder)
        self.n_frozen = self.shape.n_layers - n_layers
        for name, weight in self.model.named_parameters():
            weight.requires_grad_(_moves(name, self.n_frozen))

    def tuned_weights(self) -> list[nn.Parameter]:
        """Weights that training moves."""
        return [weight for weight in self.parameters() if weight.requires_grad]

    def add_lora(self, rank: int) -> None:
        """Train low-rank additions to the attention and feed-forward matrices of upper layers.

        Rank 0 leaves whole matrices to be trained. Needs peft (Hu et al. 2022).
        """
        if not rank:
            return
        from peft import LoraConfig, inject_adapter_in_model

        upper = range(self.n_frozen, self.shape.n_layers)
        chosen = [
            name
            for name, module in self.model.named_modules()
            if isinstance(module, nn.Linear) and any(f"layer.{i}." in name for i in upper)
        ]
        config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=chosen)
        self.model = inject_adapter_in_model(config, self.model)

    def merged(self) -> dict[str, torch.Tensor]:
        """Every weight by the name it has in a plain folder, low-rank additions folded in."""
        for module in list(self.model.modules()):
            if hasattr(module, "merge") and hasattr(module, "base_layer"):
                module.merge()
        return {
            name.replace(".base_layer", ""): weight
            for name, weight in self.model.state_dict().items()
            if "lora_" not in name
        }

    def set_dropout(self, share: float) -> None:
        """Drop this share of activations while training."""
        for module in self.modules():
            if isinstance(module, nn.Dropout):
                module.p = share

    @torch.no_grad()
    def lower(self, texts: Sequence[str]) -> list[torch.Tensor]:
        """States (tokens, hidden) of each text after the frozen layers, dropout off."""
        was_training = self.training
        self.eval()
        numbers = [self.tokenizer.encode(text).ids for text in texts]
        found: list[torch.Tensor] = [torch.empty(0)] * len(texts)
        for rows in _batches(numbers, _BATCH_TOKENS):
            ids = nn.utils.rnn.pad_sequence([torch.tensor(numbers[i]) for i in rows], True)
            states = self.model.embeddings(
                input_ids=ids, position_ids=torch.arange(ids.shape[1])[None] + self._first()
            )
            mask = _mask([len(numbers[i]) for i in rows])
            states = self._through(states, mask, 0, self.n_frozen)
            for state, i in zip(states, rows, strict=True):
                found[i] = state[: len(numbers[i])].clone()
        self.train(was_training)
        return found

    def upper(self, states: Sequence[torch.Tensor]) -> torch.Tensor:
        """Cached states to unit vectors (n, hidden).

        Texts of similar length run together: padding to the longest of all would cost
        several times more.
        """
        parts = _batches(states, _TRAINED_TOKENS)
        order = torch.tensor([row for rows in parts for row in rows])
        vectors = torch.cat([self._together([states[i] for i in rows]) for rows in parts])
        return vectors[order.argsort()]

    def _together(self, states: Sequence[torch.Tensor]) -> torch.Tensor:
        mask = _mask([len(state) for state in states])
        padded = nn.utils.rnn.pad_sequence(list(states), batch_first=True)
        top = self._through(padded, mask, self.n_frozen, self.shape.n_layers).float()
        if self.shape.pooling == "cls":
            return functional.normalize(top[:, 0], dim=1)
        return functional.normalize((top * mask[..., None]).sum(dim=1), dim=1)

    @torch.no_grad()
    def encode(self, states: Sequence[torch.Tensor]) -> UnitVectors:
        """Unit vectors (n, hidden) of cached states, dropout off, in order."""
        was_training = self.training
        self.eval()
        found = np.empty((len(states), self.shape.hidden), dtype=np.float32)
        for rows in _batches(states, _BATCH_TOKENS):
            found[rows] = self._together([states[i] for i in rows]).numpy()
        self.train(was_training)
        return found

    def _first(self) -> int:
        return self.shape.first_position

    def _through(
        self, states: torch.Tensor, mask: torch.Tensor, start: int, stop: int
    ) -> torch.Tensor:
        hidden = (1.0 - mask)[:, None, None, :] * _HIDDEN
        for layer in self.model.encoder.layer[start:stop]:
            out = layer(states, hidden.to(states.dtype))
            states = out[0] if isinstance(out, tuple) else out  # transformers 4 gives a tuple
        return states


def _opened(folder: Path) -> Any:
    try:
        from transformers import AutoConfig, AutoModel
    except ImportError as error:
        raise InvalidOptionError(
            "adapting a text encoder needs the train extra: pip install 'imprint[train]'"
        ) from error
    config = AutoConfig.from_pretrained(str(folder), local_files_only=True, **_sizes(folder))
    model, loaded = AutoModel.from_pretrained(
        str(folder),
        config=config,
        local_files_only=True,
        add_pooling_layer=False,
        attn_implementation="eager",
        dtype=torch.float32,
        output_loading_info=True,
    )
    if odd := sorted({*loaded["missing_keys"], *map(str, loaded["mismatched_keys"])}):
        raise InvalidOptionError(
            f"{len(odd)} weights of the folder do not fit its config.json, the first is {odd[0]}"
        )
    return model


def _sizes(folder: Path) -> dict[str, int]:
    """What config.json may leave out, as the weights have it."""
    from safetensors import safe_open

    ends = {
        "vocab_size": ("embeddings.word_embeddings.weight", 0),
        "type_vocab_size": ("embeddings.token_type_embeddings.weight", 0),
        "intermediate_size": ("encoder.layer.0.intermediate.dense.weight", 0),
    }
    found = {}
    with safe_open(folder / WEIGHTS, framework="numpy") as tensors:
        for name in tensors.keys():  # noqa: SIM118 - a safetensors file is no mapping
            for size, (end, axis) in ends.items():
                if name.endswith(end):
                    found[size] = int(tensors.get_slice(name).get_shape()[axis])
    return found


def _moves(name: str, n_frozen: int) -> bool:
    words = name.split(".")
    return words[:2] == ["encoder", "layer"] and int(words[2]) >= n_frozen


def _mask(lengths: Sequence[int]) -> torch.Tensor:
    longest = max(lengths)
    return (torch.arange(longest)[None] < torch.tensor(lengths)[:, None]).float()


def _batches(rows: Sequence[Any], n_tokens: int) -> list[list[int]]:
    """Row numbers in batches of similar length, each of a bounded number of tokens."""
    found: list[list[int]] = []
    for i in sorted(range(len(rows)), key=lambda i: len(rows[i])):
        if not found or (len(found[-1]) + 1) * len(rows[i]) > n_tokens:
            found.append([])
        found[-1].append(i)
    return found
