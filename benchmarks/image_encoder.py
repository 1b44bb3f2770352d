"""Accuracy and speed of the image encoders on classes they never saw, against raw pixels and HOG.

    python benchmarks/image_encoder.py --data ../shared/data --json figures.json

Every line is episodes of n-way n-shot recognition with class prototypes (one support: the nearest
neighbor), mean accuracy with its 95 % interval over episodes. Nothing is tuned here.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from imprint.encoders.image import SHIPPED, SHIPPED_8_BIT, ImageEncoder, read_card
from imprint.intake.decode import to_sample

HOG_PX, PIXELS_PX, CELL_PX, N_BINS = 64, 32, 8, 9


@dataclass
class Labelled:
    """Samples of one set with class numbers, and groups that supports and queries may not share."""

    name: str
    samples: list
    labels: np.ndarray
    groups: np.ndarray


def of_zip(name, path, under):
    samples, labels = [], []
    with zipfile.ZipFile(path) as archive:
        members = sorted(m for m in archive.namelist() if m.startswith(under) and m[-1] != "/")
        for member in members:
            samples.append(to_sample(archive.read(member), "image"))
            labels.append(member.split("/")[-2])
    _, numbers = np.unique(labels, return_inverse=True)
    return Labelled(name, samples, numbers, np.arange(len(numbers)))


def omniglot(root, n_drawers=8):
    """Evaluation characters by the first drawers: fewer pictures take less time."""
    with np.load(root / "omniglot" / "evaluation.npz") as packed:
        bits = packed["images"][:, :n_drawers]
    ink = np.unpackbits(bits.reshape(-1, bits.shape[2]), axis=1)[:, : 105 * 105]
    paper = ((1 - ink) * 255).astype(np.uint8).reshape(-1, 105, 105)
    labels = np.repeat(np.arange(bits.shape[0]), bits.shape[1])
    samples = [to_sample(one, "image") for one in paper]
    return Labelled("Omniglot evaluation", samples, labels, np.arange(len(labels)))


def deeppcb(root, most=200):
    with np.load(root / "deeppcb_crops" / "crops_trainval.npz") as packed:
        bits, labels, boards = packed["test_bits"], packed["label"], packed["board_index"]
    rng = np.random.default_rng(0)
    rows = np.concatenate(
        [rng.permutation(np.where(labels == c)[0])[:most] for c in np.unique(labels)]
    )
    crops = np.unpackbits(bits[rows], axis=1).reshape(-1, 64, 64) * np.uint8(255)
    samples = [to_sample(one, "image") for one in crops]
    return Labelled("DeepPCB crops", samples, labels[rows].astype(int), boards[rows])


def magnetic_tiles(root):
    folder = root / "magnetic_tile_defects"
    with (folder / "index.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    with zipfile.ZipFile(folder / "images.zip") as archive:
        names = {Path(n).stem: n for n in archive.namelist()}
        members = [names[Path(row["name"]).stem] for row in rows]
        samples = [to_sample(archive.read(member), "image") for member in members]
    _, labels = np.unique([r["class"] for r in rows], return_inverse=True)
    _, tiles = np.unique([r["tile_id"] for r in rows], return_inverse=True)
    return Labelled("Magnetic tiles", samples, labels, tiles)


def faces(root):
    with np.load(root / "orl_faces" / "dev.npz") as packed:
        images = packed["images"]
    samples = [to_sample(one, "image") for one in images.reshape(-1, *images.shape[2:])]
    labels = np.repeat(np.arange(images.shape[0]), images.shape[1])
    return Labelled("ORL faces", samples, labels, np.arange(len(labels)))


def gray(sample, px):
    picture = Image.fromarray(sample.value).convert("L").resize((px, px), Image.Resampling.BILINEAR)
    return np.asarray(picture, dtype=np.float64) / 255.0


def unit_rows(rows):
    return (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)).astype(np.float32)


def raw_pixels(samples):
    rows = np.stack([gray(s, PIXELS_PX).ravel() for s in samples])
    return unit_rows(rows - rows.mean(axis=1, keepdims=True))


def hog(samples):
    """Histograms of oriented gradients (Dalal and Triggs 2005): 8 px cells, 9 bins, 2x2 blocks."""
    return unit_rows(np.stack([hog_of(gray(s, HOG_PX)) for s in samples]))


def hog_of(image):
    down, right = np.gradient(image)
    strength = np.hypot(down, right)
    angle = (np.arctan2(down, right) % np.pi) / np.pi * N_BINS
    low = np.floor(angle).astype(int) % N_BINS
    share = angle - np.floor(angle)
    n = HOG_PX // CELL_PX
    rows, columns = np.mgrid[0:HOG_PX, 0:HOG_PX] // CELL_PX
    cells = np.zeros((n, n, N_BINS))
    np.add.at(cells, (rows, columns, low), strength * (1 - share))
    np.add.at(cells, (rows, columns, (low + 1) % N_BINS), strength * share)
    blocks = np.concatenate(
        [cells[:-1, :-1], cells[1:, :-1], cells[:-1, 1:], cells[1:, 1:]], axis=2
    )
    blocks /= np.sqrt((blocks**2).sum(axis=2, keepdims=True) + 1e-4)
    blocks = np.minimum(blocks, 0.2)
    return (blocks / np.sqrt((blocks**2).sum(axis=2, keepdims=True) + 1e-4)).ravel()


def episode_rows(labelled, n_way, n_shot, n_query, rng):
    """Row numbers (n_way, n_shot) of supports, and a list of query rows per class.

    No query shares its group (tile, board) with a support of the episode.
    """
    classes = rng.choice(np.unique(labelled.labels), n_way, replace=False)
    orders = [rng.permutation(np.where(labelled.labels == c)[0]) for c in classes]
    supports = [order[:n_shot] for order in orders]
    used = np.unique(labelled.groups[np.concatenate(supports)])
    queries = []
    for order in orders:
        rest = order[n_shot:]
        queries.append(rest[~np.isin(labelled.groups[rest], used)][:n_query])
    return np.stack(supports), queries


def accuracy(vectors, labelled, n_way, n_shot, n_episodes, n_query=15, seed=0):
    """Mean accuracy in percent over episodes and half its 95 % interval."""
    rng, scores = np.random.default_rng(seed), []
    for _ in range(n_episodes):
        supports, queries = episode_rows(labelled, n_way, n_shot, n_query, rng)
        prototypes = unit_rows(vectors[supports].mean(axis=1))
        right = [vectors[q] @ prototypes.T for q in queries]
        hits = np.concatenate([s.argmax(axis=1) == i for i, s in enumerate(right) if len(s)])
        scores.append(hits.mean())
    return 100 * np.mean(scores), 100 * 1.96 * np.std(scores) / np.sqrt(n_episodes)


def sets_and_tasks(root):
    """Each set with the (n_way, n_shot) it is measured at."""
    yield of_zip("Caltech-101 val", root / "caltech101_fs" / "val.zip", "val/"), [(5, 1), (5, 5)]
    yield (
        of_zip("Tiny ImageNet val", root / "tiny_imagenet_fs" / "val.zip", "val/"),
        [
            (5, 1),
            (5, 5),
        ],
    )
    yield omniglot(root), [(5, 1), (5, 5), (20, 1)]
    yield deeppcb(root), [(6, 5)]
    yield magnetic_tiles(root), [(6, 5)]
    yield faces(root), [(30, 1)]


def photo_like_jpeg():
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (28, 28, 3), dtype=np.uint8))
    out = io.BytesIO()
    small.resize((224, 224), Image.Resampling.BICUBIC).save(out, format="JPEG", quality=90)
    return out.getvalue()


def latency(encoders, repeats=60):
    """Milliseconds of one 224 px picture on one thread, the encoders in turn.

    Both the wall clock and the time the thread itself ran: on a shared machine the first also
    counts what others do.
    """
    content = photo_like_jpeg()
    sample = to_sample(content, "image")
    jobs = {f"{one.name}: encode": lambda one=one: one.encode([sample]) for one in encoders}
    jobs["decode one 224 px JPEG"] = lambda: to_sample(content, "image")
    times = {name: ([], []) for name in jobs}
    for _ in range(repeats + 3):
        for name, job in jobs.items():
            wall, own = time.perf_counter(), time.thread_time()
            job()
            times[name][0].append(time.perf_counter() - wall)
            times[name][1].append(time.thread_time() - own)
    return {
        name: {"wall": spread_of(wall[3:]), "thread": spread_of(own[3:])}
        for name, (wall, own) in times.items()
    }


def photo_decode(repeats=9):
    """Median milliseconds to decode a 12-megapixel JPEG to 640 px."""
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (75, 100, 3), dtype=np.uint8))
    out = io.BytesIO()
    small.resize((4000, 3000), Image.Resampling.BICUBIC).save(out, format="JPEG", quality=85)
    content, times = out.getvalue(), []
    for _ in range(repeats):
        start = time.perf_counter()
        to_sample(content, "image")
        times.append(time.perf_counter() - start)
    return spread_of(times)


def spread_of(times):
    low, middle, high = np.percentile(np.array(times) * 1000, [10, 50, 90])
    return {"median_ms": round(middle, 2), "p10_ms": round(low, 2), "p90_ms": round(high, 2)}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    options.add_argument("--model", type=Path, nargs="*", help="other .onnx files with their cards")
    options.add_argument("--episodes", type=int, default=600)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--json", type=Path, help="write the figures here")
    asked = options.parse_args()
    encoders = (
        [ImageEncoder(path, read_card(path.with_suffix(".json"))) for path in asked.model]
        if asked.model
        else [ImageEncoder.shipped(SHIPPED), ImageEncoder.shipped(SHIPPED_8_BIT)]
    )
    methods = {"raw pixels": raw_pixels, "HOG": hog} | {one.name: one.encode for one in encoders}
    versions = [one.version for one in encoders]
    print(f"{', '.join(versions)}; {asked.episodes} episodes, seed {asked.seed}\n")
    print(f"| set | task | {' | '.join(methods)} |")
    print("| --- | --- |" + " --- |" * len(methods))
    figures = {"encoders": versions, "episodes": asked.episodes, "accuracy": {}}
    for labelled, tasks in sets_and_tasks(asked.data):
        vectors = {name: method(labelled.samples) for name, method in methods.items()}
        for n_way, n_shot in tasks:
            found = {
                name: accuracy(
                    v, labelled, n_way, n_shot, asked.episodes, seed=asked.seed,
                    n_query=min(15, np.bincount(labelled.labels).min() - n_shot),
                )
                for name, v in vectors.items()
            }  # fmt: skip
            cells = [f"{mean:.1f} ± {half:.1f}" for mean, half in found.values()]
            task = f"{n_way}-way {n_shot}-shot"
            print(f"| {labelled.name} | {task} | {' | '.join(cells)} |", flush=True)
            figures["accuracy"][f"{labelled.name}, {task}"] = dict(zip(found, cells, strict=True))
    figures["ms"] = latency(encoders) | {"decode a 12-megapixel JPEG to 640 px": photo_decode()}
    print(json.dumps(figures["ms"], indent=1))
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
