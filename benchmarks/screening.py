"""How well wrong labels, near copies and hubs are found, and how many genuine supports are held.

    python benchmarks/screening.py --data ../shared/data --out docs/measurements/screening.md

Limits are those that ship: nothing is chosen on what is measured here, except that the text card
was set with BANKING77's and InjongoIntent's order of size in mind (see the record's notes). Each
draw makes a collection of ten classes, asks ten more samples of each under their own label
(genuine), under a random other one (flipped), near copies under another label, and hubs.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
import time
import zipfile
from pathlib import Path

import numpy as np

from imprint.encoders.banks import read_screening
from imprint.encoders.catalogue import load_encoder
from imprint.heads.open_set import thinned
from imprint.heads.supports import SupportSet
from imprint.intake.decode import to_sample
from imprint.intake.screen.checks import Footing, screening_checks
from imprint.intake.screen.yardstick import ScreeningCard, Yardstick
from imprint.settings import read_settings
from imprint.vectors import RowBlocks

N_WAY, N_ASKED = 10, 10
SIDE_PX = 105


def texts_of(root: Path, name: str) -> tuple[list[str], list[str]]:
    """Texts and labels of a text set."""
    if name == "banking77":
        with (root / "banking77" / "train.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return [r["text"] for r in rows], [r["category"] for r in rows]
    lines = (root / "injongo_intent" / f"{name[8:]}_train.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [r["text"] for r in rows], [r["intent"] for r in rows]


def images_of(root: Path, name: str) -> tuple[list[object], list[str]]:
    """Pictures and labels of an image set's held-out part."""
    if name == "omniglot":
        with np.load(root / "omniglot" / "evaluation.npz") as packed:
            bits, classes = packed["images"], packed["classes"]
        n, per = bits.shape[:2]
        flat = np.unpackbits(bits.reshape(n * per, -1), axis=1)[:, : SIDE_PX**2]
        ink = flat.reshape(n, per, SIDE_PX, SIDE_PX)
        return (
            [
                np.asarray(255 - 255 * ink[c, k], np.uint8)
                for c in range(0, n, 5)
                for k in range(per)
            ],
            [str(classes[c]) for c in range(0, n, 5) for _ in range(per)],
        )
    with zipfile.ZipFile(root / name / "val.zip") as archive:
        members = [m for m in sorted(archive.namelist()) if not m.endswith("/")]
        return [archive.read(m) for m in members], [m.split("/")[1] for m in members]


def copied_text(text: str, rng: np.random.Generator) -> str:
    """A near copy: other case, other punctuation, or two letters swapped."""
    kind = int(rng.integers(3))
    if kind == 0:
        return text.upper()
    if kind == 1:
        return text.rstrip(".?!") + " ..."
    at = int(rng.integers(1, max(len(text) - 2, 2)))
    return text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :]


def copied_image(source: object, rng: np.random.Generator) -> bytes:
    """A near copy: saved again as JPEG, a little brighter, cropped by two hundredths."""
    from PIL import Image, ImageEnhance

    opened = (
        Image.open(io.BytesIO(source)) if isinstance(source, bytes) else Image.fromarray(source)
    )
    picture = opened.convert("RGB")
    cut = max(1, min(picture.size) // 50)
    picture = picture.crop((cut, cut, picture.width - cut, picture.height - cut))
    picture = ImageEnhance.Brightness(picture).enhance(float(rng.uniform(0.92, 1.08)))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=80)
    return out.getvalue()


def screened(vectors, labels, supports, footing):
    """(held, names of the checks that hold) of each vector under its label."""
    found = []
    for vector, label in zip(vectors, labels, strict=True):
        checks = screening_checks(vector, label, supports, footing)
        found.append({check.name for check in checks if check.verdict == "quarantine"})
    return found


def margins(vectors, own, prototypes):
    """The reference: nearest other prototype less own prototype."""
    near = vectors @ prototypes.T
    rows = np.arange(len(near))
    mine = near[rows, own].copy()
    near[rows, own] = -2
    return near.max(axis=1) - mine


def measure(  # noqa: PLR0915 - one story, told in order
    kit, n_shot: int, n_draws: int, seed: int
) -> dict[str, float]:
    """One set at one number of examples."""
    encoder, sources, vectors, labels, copy = kit
    card = ScreeningCard.from_json(read_screening(encoder.name))
    yardstick = Yardstick.of(card, encoder.background, encoder.dim)
    bank = thinned(encoder.background, encoder.dim)
    rng = np.random.default_rng(seed)
    rows = {c: np.flatnonzero(labels == c) for c in np.unique(labels)}
    able = [c for c, found in rows.items() if len(found) > n_shot]
    if len(able) < N_WAY:
        raise SystemExit("too few samples a class; raise --most")
    tally = {name: [] for name in ("genuine", "flipped", "copies", "copies_new", "hub", "hub_new")}
    plain_genuine, plain_flipped, hubs = [], [], []
    for _ in range(n_draws):
        chosen = rng.choice(able, N_WAY, replace=False)
        split = [rng.permutation(rows[c]) for c in chosen]
        taught = np.concatenate([s[:n_shot] for s in split])
        names = [str(c) for c, s in zip(chosen, split, strict=True) for _ in s[:n_shot]]
        asked = np.concatenate([s[n_shot : n_shot + N_ASKED] for s in split])
        own = np.concatenate([[c] * len(s[n_shot : n_shot + N_ASKED]) for c, s in enumerate(split)])
        supports = SupportSet.of(RowBlocks.of(vectors[taught]), names, bank.mean(axis=0))
        footing = Footing.of(supports, yardstick, vectors[:0])
        true = [supports.labels[c] for c in own]
        other = (own + rng.integers(1, N_WAY, len(own))) % N_WAY
        wrong = [supports.labels[c] for c in other]
        queries = vectors[asked]
        tally["genuine"] += [bool(f) for f in screened(queries, true, supports, footing)]
        tally["flipped"] += [bool(f) for f in screened(queries, wrong, supports, footing)]
        prototypes = supports.prototypes.matrix()
        plain_genuine.append(margins(queries, own, prototypes))
        plain_flipped.append(margins(queries, other, prototypes))
        picked = rng.choice(len(taught), min(10, len(taught)), replace=False)
        samples = [
            to_sample(copy(sources[taught[i]], rng), encoder.modality) for i in picked.tolist()
        ]
        near = encoder.encode(samples)
        misnamed = [
            supports.labels[(supports.labels.index(names[i]) + 1) % N_WAY] for i in picked.tolist()
        ]
        tally["copies"] += [bool(f) for f in screened(near, misnamed, supports, footing)]
        new = ["a class of its own"] * len(near)
        tally["copies_new"] += [bool(f) for f in screened(near, new, supports, footing)]
        for kind, hub, label in made_hubs(vectors, rows, chosen, queries, own, prototypes):
            (found,) = screened(hub[None], [label or supports.labels[0]], supports, footing)
            tally["hub_new" if kind == "new" else "hub"].append(bool(found))
            hubs.append(kind)
    genuine, flipped = np.concatenate(plain_genuine), np.concatenate(plain_flipped)
    result = {
        name: float(np.mean(found)) if found else float("nan") for name, found in tally.items()
    }
    result["bare_margin"] = float((flipped > np.quantile(genuine, 0.97)).mean())
    result["n_hubs"] = float(len(hubs))
    return result


def made_hubs(vectors, rows, chosen, queries, own, prototypes):
    """Supports that take more than a tenth of others' queries: natural ones, and the mean.

    Yields (kind, vector, label): as a new class, and as a second example of the first class.
    """
    others = [r[0] for c, r in rows.items() if c not in set(chosen)]
    pool = [vectors[r] for r in others]
    total = prototypes.sum(axis=0)
    pool.append((total / np.linalg.norm(total)).astype(np.float32))
    near_own = (queries * prototypes[own]).sum(axis=1)
    for vector in pool:
        if (queries @ vector > near_own).mean() > 0.10:
            yield "new", vector, "a class of its own"
        joined = prototypes[0] + vector
        joined /= np.linalg.norm(joined)
        elsewhere = own != 0
        drawn = (queries @ joined > near_own) & ~(queries @ prototypes[0] > near_own)
        if drawn[elsewhere].mean() > 0.10:
            yield "joined", vector, None


def main() -> None:
    """Measure every set and write the record's table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--draws", type=int, default=40)
    parser.add_argument("--most", type=int, default=2500, help="samples of a set, at the most")
    parser.add_argument("--only", nargs="*", help="names of sets")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, help="write the table here, too")
    chosen = parser.parse_args()
    head = "| set | examples | genuine held | flipped found | bare margin | copies, known class "
    head += "| copies, new class | hubs, known class | hubs, new class |"
    lines = [head, "|---" * 9 + "|"]
    settings = read_settings()
    for name, encoder_name in (
        ("banking77", "minilm-l6"),
        ("injongo_eng", "minilm-l6"),
        ("caltech101_fs", "image-small"),
        ("tiny_imagenet_fs", "image-small"),
        ("omniglot", "image-small"),
    ):
        if chosen.only and name not in chosen.only:
            continue
        began = time.perf_counter()
        encoder = load_encoder(encoder_name, cache_dir=settings.cache)
        is_text = encoder.modality == "text"
        sources, labels = (texts_of if is_text else images_of)(chosen.data, name)
        rng = np.random.default_rng(chosen.seed)
        kept = rng.permutation(len(sources))[: chosen.most]
        sources, labels = [sources[i] for i in kept], np.array([labels[i] for i in kept])
        vectors = np.concatenate(
            [
                encoder.encode([to_sample(s, encoder.modality) for s in sources[i : i + 64]])
                for i in range(0, len(sources), 64)
            ]
        )
        kit = (encoder, sources, vectors, labels, copied_text if is_text else copied_image)
        for n_shot in (1, 2, 5):
            r = measure(kit, n_shot, chosen.draws, chosen.seed)
            lines.append(
                f"| {name} | {n_shot} | "
                + " | ".join(
                    "none" if np.isnan(r[k]) else f"{100 * r[k]:.1f} %"
                    for k in (
                        *("genuine", "flipped", "bare_margin", "copies", "copies_new"),
                        *("hub", "hub_new"),
                    )
                )
                + " |"
            )
            print(lines[-1], flush=True)
        print(f"{encoder.version}, {time.perf_counter() - began:.0f} s", file=sys.stderr)
    if chosen.out is not None:
        chosen.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
