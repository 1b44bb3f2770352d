"""Data sets as vectors of the built-in encoders, embedded once and kept in a folder."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from imprint.encoders.protocol import Encoder
from imprint.errors import ImprintError
from imprint.flows.answering.encoding import EncoderShelf
from imprint.intake.decode import to_sample
from imprint.settings import read_settings
from machine import say

ENCODER_OF = {"text": "minilm-l6", "image": "image-small"}
_BATCH = 64


@dataclass(frozen=True)
class Embedded:
    """Vectors of one set with a label each, and the encoder they come from."""

    name: str
    vectors: np.ndarray
    labels: np.ndarray
    encoder: Encoder


def csv_rows(*path: str, label: str = "label", most: int = 0) -> Callable:
    def read(shared: Path) -> tuple[list[object], list[str]]:
        with shared.joinpath(*path).open(encoding="utf-8", newline="") as stream:
            rows = [(row["text"], row[label]) for row in csv.DictReader(stream)]
        return _at_most([text for text, _ in rows], [label for _, label in rows], most)

    return read


def json_rows(*path: str) -> Callable:
    def read(shared: Path) -> tuple[list[object], list[str]]:
        lines = shared.joinpath(*path).read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        return [row["text"] for row in rows], [row["intent"] for row in rows]

    return read


def zipped(*path: str, most: int = 0) -> Callable:
    def read(shared: Path) -> tuple[list[object], list[str]]:
        with zipfile.ZipFile(shared.joinpath(*path)) as archive:
            members = sorted(name for name in archive.namelist() if name[-1] != "/")
            pictures = [Image.open(io.BytesIO(archive.read(name))) for name in members]
        return _at_most(pictures, [name.split("/")[-2] for name in members], most)

    return read


def characters(shared: Path) -> tuple[list[object], list[str]]:
    """150 characters of the evaluation alphabets, twenty drawings of each."""
    with np.load(shared / "omniglot" / "evaluation.npz") as packed:
        bits, names = packed["images"], packed["classes"]
    chosen = np.sort(np.random.default_rng(0).permutation(len(names))[:150])
    ink = np.unpackbits(bits[chosen].reshape(-1, bits.shape[2]), axis=1)[:, : 105 * 105]
    paper = ((1 - ink) * 255).astype(np.uint8).reshape(-1, 105, 105)
    return list(paper), np.repeat(names[chosen], bits.shape[1]).tolist()


def crops(shared: Path) -> tuple[list[object], list[str]]:
    """Circuit-board crops, at most 100 of each defect."""
    with np.load(shared / "deeppcb_crops" / "crops_trainval.npz") as packed:
        bits, labels = packed["test_bits"], packed["label"].astype(str)
    rows, kept = _at_most(list(range(len(labels))), labels.tolist(), 100)
    return list(np.unpackbits(bits[rows], axis=1).reshape(-1, 64, 64) * np.uint8(255)), kept


SETS: dict[str, tuple[str, Callable]] = {
    "banking77_train": ("text", csv_rows("banking77", "train.csv", label="category")),
    "banking77_test": ("text", csv_rows("banking77", "test.csv", label="category")),
    "injongo_eng": ("text", json_rows("injongo_intent", "eng_train.jsonl")),
    "injongo_swa": ("text", json_rows("injongo_intent", "swa_train.jsonl")),
    "it_tickets": ("text", csv_rows("it_tickets", "dev.csv", most=300)),
    "sms_spam": ("text", csv_rows("sms_spam", "dev.csv", most=613)),
    "caltech101_val": ("image", zipped("caltech101_fs", "val.zip")),
    "omniglot_eval": ("image", characters),
    "deeppcb": ("image", crops),
    "tiny_imagenet_val": ("image", zipped("tiny_imagenet_fs", "val.zip", most=100)),
}


class Shelf:
    """Reads sets from `folder`, embedding from `shared` those that are not there yet."""

    def __init__(self, shared: Path, folder: Path) -> None:
        self.shared, self.folder = shared, folder
        self._encoders = EncoderShelf(read_settings())
        self._held: dict[str, Embedded] = {}

    def __call__(self, name: str) -> Embedded:
        if name not in self._held:
            modality, read = SETS[name]
            encoder = self._encoders.named(ENCODER_OF[modality], modality)
            path = self.folder / f"{name}.{encoder.version}.npz"
            if not path.exists():
                self._embed(name, path, encoder, *read(self.shared))
            with np.load(path) as stored:
                self._held[name] = Embedded(name, stored["vectors"], stored["labels"], encoder)
        return self._held[name]

    def _embed(self, name: str, path: Path, encoder: Encoder, sources: list, labels: list) -> None:
        samples, kept, parts = [], [], []
        for source, label in zip(sources, labels, strict=True):
            try:
                samples.append(to_sample(source, encoder.modality))
            except ImprintError as error:
                say(f"{name}: left one out: {error}")
            else:
                kept.append(label)
        for at in range(0, len(samples), _BATCH):
            parts.append(encoder.encode(samples[at : at + _BATCH]))
            if at % (20 * _BATCH) == 0:
                say(f"{name}: embedded {at} of {len(samples)}")
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, vectors=np.concatenate(parts), labels=np.array(kept))


def _at_most(sources: list, labels: list[str], most: int) -> tuple[list, list[str]]:
    """At most `most` of each class, by one fixed draw; all when zero."""
    if not most:
        return sources, labels
    rng, named = np.random.default_rng(0), np.array(labels)
    kept = [rng.permutation(np.flatnonzero(named == one))[:most] for one in np.unique(named)]
    rows = np.sort(np.concatenate(kept)).tolist()
    return [sources[row] for row in rows], [labels[row] for row in rows]
