"""Brings a user's own model into the cache: checked, tried once, then known by name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from imprint.encoders.bert import KIND as BERT_KIND
from imprint.encoders.bert import BertEncoder, bert_identity, bert_writer
from imprint.encoders.onnx_file import MODEL, TEXT_TOKENIZER, OnnxFileEncoder, onnx_identity
from imprint.encoders.weights.bert_folder import TOKENIZER, WEIGHTS, read_shape
from imprint.encoders.weights.cache import checked_name
from imprint.encoders.weights.files import copy_verified, sha256_of, version_of
from imprint.errors import InvalidNameError, InvalidOptionError, ModelHashError
from imprint.types import RawItem, Sample, Sound

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from imprint.encoders.bert_graph import Variant
    from imprint.encoders.protocol import Encoder
    from imprint.encoders.weights.cache import Card, ModelCache
    from imprint.encoders.weights.files import Progress
    from imprint.types import Modality

    Writer = Callable[[Path], None]


def open_added(folder: Path, card: Card) -> Encoder:
    """Open an entry of the cache by its kind.

    Raises:
        ModelHashError: it was written by a newer Imprint and is of a kind unknown here.
    """
    kind = card["identity"]["kind"]
    if kind == BERT_KIND:
        return BertEncoder(folder, card)
    if kind.startswith("onnx-file."):
        return OnnxFileEncoder(folder, card)
    raise ModelHashError(f"the cache holds an encoder of the unknown kind {kind}; update Imprint")


def added_name(
    path: Path,
    cache: ModelCache,
    name: str | None,
    taken: frozenset[str],
    variant: Variant,
    progress: Progress,
) -> str:
    """Copy, try and name a model; return its name.

    Raises:
        InvalidNameError: the name is not one, or belongs to a built-in encoder.
        InvalidOptionError: the model and what is said of it do not fit; the message says where.
        ModelHashError: the card states another hash than the file has.
    """
    progress("adding an encoder", 0, 1)
    if path.is_dir():
        chosen, card, writer = _from_folder(path, variant)
    elif path.is_file() and path.suffix == ".onnx":
        chosen, card, writer = _from_file(path)
    else:
        raise InvalidOptionError(
            "add takes a sentence-embedding folder or an .onnx file with a card beside it; this is "
            "neither"
        )
    chosen = checked_name(name or chosen)
    if chosen in taken:
        raise InvalidNameError(f"{chosen} is a built-in encoder; give yours another name")
    version = cache.made(chosen, card, _tried(chosen, card, writer))
    cache.point(chosen, version)
    progress("adding an encoder", 1, 1)
    return chosen


def _from_folder(folder: Path, variant: Variant) -> tuple[str, Card, Writer]:
    shape = read_shape(folder)
    weights, tokenizer = folder / WEIGHTS, folder / TOKENIZER
    identity = bert_identity(shape, sha256_of(weights), sha256_of(tokenizer), variant)
    card = {
        "identity": identity,
        "modality": "text",
        "license": "not stated",
        "about": f"added sentence-embedding folder, {shape.hidden} wide, {variant}",
    }
    return folder.resolve().name, card, bert_writer(shape, weights, tokenizer, variant)


def _from_file(path: Path) -> tuple[str, Card, Writer]:
    stated = _read_card(path)
    tokenizer: Path | None = None
    if stated.get("modality") == "text":
        named = str(dict(stated.get("preprocessing") or {}).get("tokenizer", ""))
        tokenizer = path.parent / named
        if not named or tokenizer.parent != path.parent or not tokenizer.is_file():
            raise InvalidOptionError("the card must name a tokenizer file that lies beside it")
    identity = onnx_identity(stated, sha256_of(tokenizer) if tokenizer else None)
    card = {
        "identity": identity,
        "modality": stated["modality"],
        "license": str(stated["license"]),
        "about": str(stated.get("about", "added ONNX file")),
    }

    def write(folder: Path) -> None:
        with path.open("rb") as stream:
            copy_verified(stream, folder / MODEL, str(stated["sha256"]).lower())
        if tokenizer:
            (folder / TEXT_TOKENIZER).write_bytes(tokenizer.read_bytes())

    return str(stated.get("name", path.stem)), card, write


def _read_card(path: Path) -> dict[str, Any]:
    beside = (path.with_suffix(".json"), path.with_name(path.name + ".json"))
    card = next((one for one in beside if one.is_file()), None)
    if card is None:
        raise InvalidOptionError(
            f"an .onnx file needs a card: write {beside[0].name} beside it (docs/encoders.md)"
        )
    try:
        stated = json.loads(card.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidOptionError(f"{card.name} is not JSON: {error}") from error
    if not isinstance(stated, dict):
        raise InvalidOptionError(f"{card.name} must hold one JSON object")
    return stated


def _tried(name: str, card: Card, writer: Writer) -> Writer:
    """Write, then open and embed once in the draft: what cannot run never gets into the cache."""

    def write(folder: Path) -> None:
        writer(folder)
        version = version_of(name, card["identity"])
        try:
            encoder = open_added(folder, {**card, "name": name, "version": version})
            encoder.encode([_probe(card["modality"])])
        except ModelHashError as error:
            raise InvalidOptionError(f"the model cannot be run: {error}") from error

    return write


def _probe(modality: Modality) -> Sample:
    value: Any = "a first try"
    if modality == "image":
        value = np.full((48, 64, 3), 200, dtype=np.uint8)
        value[12:36, 16:48] = 30
    elif modality == "audio":
        value = Sound(np.sin(np.arange(16_000, dtype=np.float32) / 8), 16_000)
    return Sample(modality, value, "", RawItem(b""))
