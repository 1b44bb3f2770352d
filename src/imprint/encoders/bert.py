"""Runs a BERT-style sentence encoder: text to unit vector on ONNX Runtime.

Every text is run alone, so its vector cannot depend on what else is in the call: dynamic int8
takes one scale per activation tensor, and even in fp32 another batch shape changes the
last bits. Being alone, a text needs no padding and no mask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from imprint.encoders.bert_graph import ARITHMETIC, GRAPH, INPUT, OUTPUT, write_graph
from imprint.encoders.session import Late, Spread, open_session
from imprint.encoders.weights.bert_folder import TOKENIZER
from imprint.errors import InvalidOptionError, ModalityMismatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from imprint.encoders.bert_graph import Array, Variant
    from imprint.encoders.weights.bert_folder import BertShape
    from imprint.encoders.weights.cache import Card
    from imprint.types import Modality, Sample, UnitVector, UnitVectors
KIND = "bert-onnx.v1"


def bert_identity(
    shape: BertShape, weights_sha256: str, tokenizer_sha256: str, variant: Variant
) -> dict[str, Any]:
    """Return all that decides a vector; its hash is the encoder's version.

    Hashes are of what goes in, not of the ONNX file built: that one's bytes differ between
    releases of the onnx package while the vectors stay the same.
    """
    return {
        "kind": KIND,
        "weights": weights_sha256,
        "tokenizer": tokenizer_sha256,
        "variant": variant,
        "arithmetic": ARITHMETIC[variant],
        "normalize": True,
        **shape.identity(),
    }


def bert_writer(
    shape: BertShape, weights: Path, tokenizer: Path, variant: Variant
) -> Callable[[Path], None]:
    """Return a function that writes the encoder's files into a folder."""

    def write(folder: Path) -> None:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(weights, framework="numpy") as tensors:
                names = set(tensors.keys())
                prefix = next((p for p in ("", "bert.", "roberta.") if _words(p) in names), "")

                def tensor(name: str) -> Array:
                    if prefix + name not in names:
                        raise KeyError(prefix + name)
                    return np.asarray(tensors.get_tensor(prefix + name), dtype=np.float32)

                write_graph(folder, tensor, shape, variant)
        except (SafetensorError, TypeError) as error:
            raise InvalidOptionError(
                "the weights cannot be read: model.safetensors is damaged or holds a number type "
                "other than fp32 and fp16"
            ) from error
        (folder / TOKENIZER).write_bytes(tokenizer.read_bytes())

    return write


def _words(prefix: str) -> str:
    return f"{prefix}embeddings.word_embeddings.weight"


class BertEncoder:
    """A built sentence encoder, open for use from any number of threads."""

    modality: Modality = "text"

    def __init__(
        self,
        folder: Path,
        card: Card,
        *,
        background: Callable[[], UnitVectors | None] | None = None,
        n_threads: int | None = None,
    ) -> None:
        self.name: str = card["name"]
        self.version: str = card["version"]
        self.dim: int = card["identity"]["hidden"]
        self.license: str = card["license"]
        self._max_tokens: int = card["identity"]["max_tokens"]
        # Some networks were trained with a word before every text that says what it is for.
        self._prefix: str = card["identity"].get("prefix", "")
        self._spread = Spread(n_threads)
        self._bank = Late(background or (lambda: None))
        self._tokenizer = open_tokenizer(folder / TOKENIZER, self._max_tokens)
        self._session = open_session(folder / GRAPH, self.version, optimize=False)

    @property
    def background(self) -> UnitVectors | None:
        """Bank of vectors of everyday texts of no class, read on first use."""
        return self._bank.value()

    def encode(self, samples: Sequence[Sample]) -> UnitVectors:
        """Embed texts; longer ones than the model reads are cut (see `notes`).

        Raises:
            ModalityMismatchError: a sample is not text.
            VectorError: the network gave something that is not a direction.
        """
        texts = [self._read(sample) for sample in samples]

        def row(i: int) -> UnitVector:
            numbers = np.array([self._tokenizer.encode(texts[i]).ids], dtype=np.int64)
            vector: UnitVector = self._session.run([OUTPUT], {INPUT: numbers})[0][0]
            return vector

        return self._spread.rows(self.name, len(texts), self.dim, row)

    def notes(self, sample: Sample) -> tuple[str, ...]:
        """What embedding this text had to decide: whether its end was cut."""
        text = self._read(sample)
        # A character is at most a few tokens, so a short text needs no counting.
        if 4 * len(text) <= self._max_tokens - 2 or not self._tokenizer.encode(text).overflowing:
            return ()
        return (f"only the first {self._max_tokens} tokens were read",)

    def count_tokens(self, samples: Sequence[Sample]) -> int:
        """How many tokens of these texts are read, marks of beginning and end included."""
        return sum(len(self._tokenizer.encode(self._read(sample)).ids) for sample in samples)

    def _read(self, sample: Sample) -> str:
        if not isinstance(sample.value, str):
            raise ModalityMismatchError(f"{self.name} reads text and was given {sample.modality}")
        return self._prefix + sample.value


def open_tokenizer(path: Path, max_tokens: int) -> Any:
    """Open a tokenizer.json that cuts texts after `max_tokens` and never pads."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises a bare Exception
        raise InvalidOptionError(f"{path.name} cannot be read as a tokenizer") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer
