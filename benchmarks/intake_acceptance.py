"""How many genuine samples of every shared data set are taught, held or refused, and why.

    python benchmarks/intake_acceptance.py --data ../shared/data --out docs/measurements/intake.md

Each set is taught to a fresh collection in a random order with the policy every collection has by
default, through the library, one batch after the other: decoding, quality, embedding, screening.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import imprint
from imprint.errors import ImprintError, LabelConflictError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Pairs = list[tuple[str, Any]]


def table(path: Path, text: str, label: str) -> Pairs:
    """Rows of a CSV."""
    with path.open(encoding="utf-8", newline="") as file:
        return [(row[label], row[text]) for row in csv.DictReader(file)]


def lines(path: Path) -> Pairs:
    """Rows of InjongoIntent."""
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [(row["intent"], row["text"]) for row in rows]


def zipped(path: Path, label_of: Callable[[str], str]) -> Pairs:
    """Files of an archive."""
    with zipfile.ZipFile(path) as archive:
        names = sorted(n for n in archive.namelist() if not n.endswith("/"))
        return [(label_of(name), archive.read(name)) for name in names]


def omniglot(root: Path) -> Pairs:
    """Drawings, dark on white, of a sixth of the characters."""
    with np.load(root / "omniglot" / "evaluation.npz") as packed:
        bits, classes = packed["images"][::6], packed["classes"][::6]
    n, per = bits.shape[:2]
    ink = np.unpackbits(bits.reshape(n * per, -1), axis=1)[:, : 105 * 105]
    pictures = np.where(ink.reshape(n, per, 105, 105), 0, 255).astype(np.uint8)
    return [(_safe(str(classes[c])), pictures[c, k]) for c in range(n) for k in range(per)]


def faces(root: Path) -> Pairs:
    """ORL."""
    with np.load(root / "orl_faces" / "dev.npz") as packed:
        images, subjects = packed["images"], packed["subjects"]
    return [(str(s), image) for s, person in zip(subjects, images, strict=True) for image in person]


def boards(root: Path) -> Pairs:
    """DeepPCB crops, black and white."""
    with np.load(root / "deeppcb_crops" / "crops_trainval.npz") as packed:
        bits, label, names = packed["test_bits"], packed["label"], packed["class_names"]
    crops = np.unpackbits(bits, axis=1).reshape(-1, 64, 64) * np.uint8(255)
    return [(str(names[c]), crop) for c, crop in zip(label, crops, strict=True)]


def receipts(root: Path) -> Pairs:
    """Receipts by company."""
    found = {}
    for line in (root / "sroie_receipts" / "annotations.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        found[Path(row["image"]).stem] = _safe(row["template"])
    return zipped(root / "sroie_receipts" / "images.zip", lambda name: found[Path(name).stem])


def _safe(label: str) -> str:
    return label.replace("/", "-").replace("\\", "-")


def _folder(name: str) -> str:
    return Path(name).parent.name


SETS: dict[str, tuple[str, Callable[[Path], Pairs]]] = {
    "banking77": ("text", lambda r: table(r / "banking77" / "train.csv", "text", "category")),
    "injongo_eng": ("text", lambda r: lines(r / "injongo_intent" / "eng_train.jsonl")),
    "injongo_swa": ("text", lambda r: lines(r / "injongo_intent" / "swa_train.jsonl")),
    "it_tickets": ("text", lambda r: table(r / "it_tickets" / "dev.csv", "text", "label")),
    "sms_spam": ("text", lambda r: table(r / "sms_spam" / "dev.csv", "text", "label")),
    "caltech101_fs val": ("image", lambda r: zipped(r / "caltech101_fs" / "val.zip", _folder)),
    "tiny_imagenet_fs val": (
        "image",
        lambda r: zipped(r / "tiny_imagenet_fs" / "val.zip", _folder),
    ),
    "omniglot": ("image", omniglot),
    "orl_faces": ("image", faces),
    "deeppcb_crops": ("image", boards),
    "magnetic_tiles": (
        "image",
        lambda r: zipped(r / "magnetic_tile_defects" / "images.zip", _folder),
    ),
    "sroie_receipts": ("image", receipts),
    "fsdd": (
        "audio",
        lambda r: zipped(r / "fsdd_spoken_digits" / "recordings.zip", lambda n: n[0]),
    ),
    "esc10": ("audio", lambda r: zipped(r / "esc10_sounds" / "clips.zip", _folder)),
}


def taught(pairs: Pairs, modality: str) -> tuple[Counter[str], Counter[str]]:
    """Outcomes and the checks that held, of one set in the given order."""
    outcomes: Counter[str] = Counter()
    held: Counter[str] = Counter()
    with imprint.open() as workspace:
        collection = workspace.collection("set", modality=modality)
        for outcome in collection.teach_many(pairs, batch=64):
            if isinstance(outcome, LabelConflictError):
                outcomes["conflict"] += 1
            elif isinstance(outcome, ImprintError):
                outcomes["refused"] += 1
                held[f"refused: {outcome.code}"] += 1
            else:
                outcomes[outcome.state] += 1
                held.update(c.name for c in outcome.checks if c.verdict == "quarantine")
    return outcomes, held


def rows_of(chosen: argparse.Namespace) -> Iterable[str]:
    """A line of the table for each set."""
    for name, (modality, read) in SETS.items():
        if chosen.only and name not in chosen.only:
            continue
        began = time.perf_counter()
        pairs = read(chosen.data)
        order = np.random.default_rng(chosen.seed).permutation(len(pairs))[: chosen.most]
        outcomes, held = taught([pairs[i] for i in order.tolist()], modality)
        n = outcomes.total()
        why = ", ".join(f"{check} {count}" for check, count in held.most_common())
        held_share, refused = (100 * outcomes[k] / n for k in ("quarantined", "refused"))
        yield (
            f"| {name} | {n:,} | {outcomes['active']:,} | {held_share:.2f} % | {refused:.2f} % "
            f"| {outcomes['conflict']} | {why or 'none'} |"
        )
        print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)


def main() -> None:
    """Teach every set and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--most", type=int, default=2000, help="samples of a set, at the most")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="names of sets")
    parser.add_argument("--out", type=Path, help="write the table here, too")
    chosen = parser.parse_args()
    out = io.StringIO()
    for line in (
        "| set | samples | taught | held | refused | conflicts | held by |",
        "|---|---|---|---|---|---|---|",
    ):
        print(line, file=out)
    for line in rows_of(chosen):
        print(line, flush=True)
        print(line, file=out)
        if chosen.out is not None:
            chosen.out.write_text(out.getvalue(), encoding="utf-8")


if __name__ == "__main__":
    main()
