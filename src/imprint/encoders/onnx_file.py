"""Any ONNX file with a card as an encoder of text, images or sound.

The card is a JSON object beside the file that says what the file cannot say of itself:

    {"name": "leaves", "modality": "image", "sha256": "...", "license": "MIT", "about": "...",
     "input": "pixels", "output": "embedding", "dim": 512,
     "preprocessing": {"side_px": 224, "mean": [0.5, 0.5, 0.5], "spread": [0.5, 0.5, 0.5]}}

Preprocessing of images is a `PixelRecipe`; of text {"tokenizer": "tokenizer.json", "max_tokens":
256, "attention_mask": "...", "token_type_ids": "...", "pooling": "none" | "mean" | "cls"}; of
sound {"rate_hz": 16000, "n_frames": 16000}. The last two of text name further inputs and may be
left out, as may `n_frames`. Vectors are made unit length here, whatever the file does.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from imprint.encoders.bert import open_tokenizer
from imprint.encoders.pixels import PixelRecipe, prepared
from imprint.encoders.session import Spread, open_session
from imprint.errors import InvalidOptionError, ModalityMismatchError, VectorError
from imprint.types import MODALITIES, Sound
from imprint.vectors import mean_direction, unit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from imprint.encoders.weights.cache import Card
    from imprint.types import Modality, Sample, UnitVector, UnitVectors, Waveform

KIND = "onnx-file.v1"
MODEL = "model.onnx"
TEXT_TOKENIZER = "tokenizer.json"

Inputs = dict[str, npt.NDArray[Any]]
_FIELDS = {
    "name",
    "modality",
    "sha256",
    "input",
    "output",
    "dim",
    "preprocessing",
    "license",
    "about",
    "normalize",
}
_REQUIRED = ("modality", "sha256", "input", "output", "dim", "preprocessing", "license")


def onnx_identity(card: dict[str, Any], tokenizer_sha256: str | None) -> dict[str, Any]:
    """Check a card and return all of it that decides a vector.

    Raises:
        InvalidOptionError: a field is missing, unknown or has a value it may not have.
    """
    missing = [field for field in _REQUIRED if field not in card]
    if missing or set(card) - _FIELDS:
        raise InvalidOptionError(
            f"the card lacks {', '.join(missing) or 'nothing'} and has unknown fields "
            f"{', '.join(sorted(set(card) - _FIELDS)) or 'none'}; see docs/encoders.md"
        )
    if card["modality"] not in MODALITIES:
        raise InvalidOptionError(f"the card's modality may be {', '.join(MODALITIES)}")
    if not isinstance(card["dim"], int) or not isinstance(card["preprocessing"], dict):
        raise InvalidOptionError("the card's dim must be a whole number, preprocessing an object")
    if card.get("normalize", True) is not True:
        raise InvalidOptionError("normalize may only be true: all vectors have length one here")
    return {
        "kind": KIND,
        "file": card["sha256"],
        "modality": card["modality"],
        "input": card["input"],
        "output": card["output"],
        "dim": card["dim"],
        "preprocessing": _preprocessing(card, tokenizer_sha256),
        "normalize": True,
    }


def _preprocessing(card: dict[str, Any], tokenizer_sha256: str | None) -> dict[str, Any]:
    stated = dict(card["preprocessing"])
    if card["modality"] == "image":
        # Through JSON, so that tuples and lists cannot make two versions of one recipe.
        recipe: dict[str, Any] = json.loads(json.dumps(PixelRecipe.from_json(stated).to_json()))
        return recipe
    if card["modality"] == "audio":
        _check_fields("sound", stated, {"rate_hz"}, {"rate_hz", "n_frames"})
        return {"rate_hz": int(stated["rate_hz"]), "n_frames": stated.get("n_frames")}
    allowed = {"tokenizer", "max_tokens", "attention_mask", "token_type_ids", "pooling"}
    _check_fields("text", stated, {"tokenizer", "max_tokens"}, allowed)
    if stated.get("pooling", "none") not in ("none", "mean", "cls"):
        raise InvalidOptionError("pooling may be none, mean or cls")
    return {
        "tokenizer": tokenizer_sha256,
        "max_tokens": int(stated["max_tokens"]),
        "attention_mask": stated.get("attention_mask"),
        "token_type_ids": stated.get("token_type_ids"),
        "pooling": stated.get("pooling", "none"),
    }


def _check_fields(what: str, stated: dict[str, Any], needed: set[str], allowed: set[str]) -> None:
    if not needed <= set(stated) <= allowed:
        raise InvalidOptionError(
            f"preprocessing of {what} needs {', '.join(sorted(needed))} and may have "
            f"{', '.join(sorted(allowed - needed))}; it has {', '.join(sorted(stated))}"
        )


class OnnxFileEncoder:
    """An added ONNX file, open for use from any number of threads."""

    def __init__(self, folder: Path, card: Card, *, n_threads: int | None = None) -> None:
        identity = card["identity"]
        self.name: str = card["name"]
        self.version: str = card["version"]
        self.modality: Modality = identity["modality"]
        self.dim: int = identity["dim"]
        self.license: str = card["license"]
        self.background: UnitVectors | None = None
        self._output: str = identity["output"]
        self._pooling: str = identity["preprocessing"].get("pooling", "none")
        self._views = _reader(folder, identity)
        self._spread = Spread(n_threads)
        self._session = open_session(folder / MODEL, self.version, optimize=True)
        self._check_names(identity)

    def encode(self, samples: Sequence[Sample]) -> UnitVectors:
        """Embed samples, each run alone.

        Raises:
            ModalityMismatchError: a sample is of another modality.
            VectorError: the file gave another width, or no direction.
        """
        for sample in samples:
            if sample.modality != self.modality:
                raise ModalityMismatchError(
                    f"{self.name} reads {self.modality} and was given {sample.modality}"
                )
        return self._spread.rows(
            self.name, len(samples), self.dim, lambda i: self._vector(samples[i].value)
        )

    def inputs(self, sample: Sample) -> list[Inputs]:
        """What the file is given for a sample, once for each view: its inputs by name."""
        return self._views(sample.value)

    def _vector(self, value: Any) -> UnitVector:
        views = unit(np.concatenate([self._row(inputs) for inputs in self._views(value)]))
        return views[0] if len(views) == 1 else mean_direction(views)

    def _row(self, inputs: Inputs) -> UnitVectors:
        try:
            given = self._session.run([self._output], inputs)[0]
        except Exception as error:  # the runtime raises several kinds of its own, without a root
            raise InvalidOptionError(
                f"{self.name} cannot run on what its card describes ({type(error).__name__}); "
                "correct the preprocessing in the card and add the file again"
            ) from error
        if self._pooling != "none" and given.ndim == 3:
            given = given.mean(axis=1) if self._pooling == "mean" else given[:, 0]
        if given.shape[:2] != (1, self.dim) or given.size != self.dim:
            raise VectorError(
                f"{self.name} gave an output of shape {given.shape} where its card promises "
                f"(1, {self.dim}); correct dim, output or pooling in the card"
            )
        row: UnitVectors = given.reshape(1, self.dim).astype(np.float32)
        return row

    def _check_names(self, identity: dict[str, Any]) -> None:
        steps = identity["preprocessing"]
        further = [steps.get("attention_mask"), steps.get("token_type_ids")]
        stated = {identity["input"], *(name for name in further if name)}
        actual = {one.name for one in self._session.get_inputs()}
        outputs = {one.name for one in self._session.get_outputs()}
        if stated != actual or identity["output"] not in outputs:
            raise InvalidOptionError(
                f"the card names the inputs {', '.join(sorted(stated))} and the output "
                f"{identity['output']}; the file has the inputs {', '.join(sorted(actual))} and "
                f"the outputs {', '.join(sorted(outputs))}"
            )


def _reader(folder: Path, identity: dict[str, Any]) -> Callable[[Any], list[Inputs]]:
    """Return the function from a sample's value to the file's inputs, once for each view of it."""
    steps, name = identity["preprocessing"], identity["input"]
    if identity["modality"] == "image":
        recipe = PixelRecipe.from_json(steps)
        return lambda pixels: [{name: view} for view in prepared(pixels, recipe)]
    if identity["modality"] == "audio":
        return lambda sound: [{name: _waveform(sound, steps["rate_hz"], steps["n_frames"])[None]}]
    tokenizer = open_tokenizer(folder / TEXT_TOKENIZER, steps["max_tokens"])

    def numbers(text: str) -> list[Inputs]:
        ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
        further = {steps["attention_mask"]: np.ones_like(ids)} if steps["attention_mask"] else {}
        if steps["token_type_ids"]:
            further[steps["token_type_ids"]] = np.zeros_like(ids)
        return [{name: ids, **further}]

    return numbers


def _waveform(sound: Sound, rate_hz: int, n_frames: int | None) -> Waveform:
    """Bring a recording to the card's rate (by its spectrum) and length (cut, or silence after)."""
    waveform = sound.waveform
    if sound.rate_hz != rate_hz:
        n_wanted = max(1, round(len(waveform) * rate_hz / sound.rate_hz))
        spectrum = np.fft.rfft(waveform.astype(np.float64))
        kept = np.zeros(n_wanted // 2 + 1, dtype=np.complex128)
        n_shared = min(len(kept), len(spectrum))
        kept[:n_shared] = spectrum[:n_shared]
        longer = np.fft.irfft(kept, n_wanted) * (n_wanted / len(sound.waveform))
        waveform = longer.astype(np.float32)
    if n_frames is not None:
        waveform = np.pad(waveform[:n_frames], (0, max(0, n_frames - len(waveform))))
    return np.ascontiguousarray(waveform, dtype=np.float32)
