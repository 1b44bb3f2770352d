"""Text encoder: speed, cold start, memory, agreement with fp32 and accuracy on BANKING77.

    python benchmarks/text_encoder.py TRAIN TEST [--rival FOLDER]

TRAIN and TEST are BANKING77's CSV files (text, category). FOLDER is the model as
sentence-transformers reads it (needs torch); it is then timed and compared in the same run. Prints
one JSON document. Everything runs on one thread except where a number of threads is stated.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from imprint.encoders.bert import BertEncoder, open_tokenizer
from imprint.encoders.bert_graph import GRAPH, INPUT, TENSORS
from imprint.encoders.catalogue import load_encoder, minilm
from imprint.encoders.session import open_session
from imprint.encoders.weights.cache import ModelCache
from imprint.settings import read_settings
from machine import machine, say, spread_ms, timed, versions

VARIANTS = ("fp32", "int8")
SHOTS = (1, 5, 10)
N_DRAWS = 10
TEN_TOKENS = "where is the parcel I sent last week"
COLD = """
import sys, time
started = time.perf_counter()
from pathlib import Path
from imprint.encoders.catalogue import load_encoder, minilm
encoder = load_encoder(sys.argv[1], cache_dir=Path(sys.argv[2]))
encoder.encode([minilm.text_sample("where is my parcel")])
taken = time.perf_counter() - started
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
print(taken, int(status["VmRSS"].split()[0]) / 1024, int(status["VmHWM"].split()[0]) / 1024)
"""


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def opened(variant: str, n_threads: int = 1) -> BertEncoder:
    """The encoder on a stated number of threads."""
    cache = ModelCache(read_settings().cache)
    version = load_encoder(f"minilm-l6-{variant}", cache_dir=read_settings().cache).version
    return BertEncoder(cache.folder(version), cache.verified(version), n_threads=n_threads)


def latency(encoders: dict[str, Any]) -> dict[str, Any]:
    """One text of 10 and one of 64 tokens, encoders in turn."""
    texts = {10: TEN_TOKENS, 64: " ".join(["parcel"] * 62)}
    found: dict[str, Any] = {}
    for n_tokens, text in texts.items():
        samples = [minilm.text_sample(text)]
        taken: dict[str, list[float]] = {name: [] for name in encoders}
        for _ in range(7):
            for name, encoder in encoders.items():
                taken[name] += timed(lambda e=encoder, s=samples: e.encode(s), 15)
        found[f"{n_tokens}_tokens"] = {name: spread_ms(one) for name, one in taken.items()}
    return found


def throughput(texts: list[str]) -> dict[str, Any]:
    """Texts a second: each alone on one and two threads, and fp32 in batches of equal length."""
    samples = [minilm.text_sample(text) for text in texts]
    alone = {(v, n): opened(v, n) for v in VARIANTS for n in (1, 2)}
    batched = equal_length_batches(texts)
    taken: dict[str, list[float]] = {}
    for _ in range(5):
        for (variant, n), encoder in alone.items():
            seconds = timed(lambda e=encoder: e.encode(samples), 1, warmup=0)
            taken.setdefault(f"{variant}, alone, {n} thread(s)", []).extend(seconds)
        seconds = timed(batched, 1, warmup=0)
        taken.setdefault("fp32, equal-length batches of 32, 1 thread", []).extend(seconds)
    return {
        name: {
            "texts_per_s": round(len(texts) / float(np.median(seconds))),
            "least": round(len(texts) / max(seconds)),
            "most": round(len(texts) / min(seconds)),
        }
        for name, seconds in taken.items()
    }


def equal_length_batches(texts: list[str]) -> Any:
    """Run the same fp32 graph with its batch axis set free: what running alone gives up."""
    import onnx

    cache = ModelCache(read_settings().cache)
    folder = cache.folder(minilm.version("fp32"))
    tokenizer = open_tokenizer(folder / "tokenizer.json", 256)
    by_length: dict[int, list[list[int]]] = {}
    for text in texts:
        numbers = tokenizer.encode(text).ids
        by_length.setdefault(len(numbers), []).append(numbers)
    batches = [
        np.array(same[start : start + 32], dtype=np.int64)
        for same in by_length.values()
        for start in range(0, len(same), 32)
    ]
    with tempfile.TemporaryDirectory() as scratch:
        model = onnx.load(folder / GRAPH, load_external_data=False)
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_param = "n_texts"
        (Path(scratch) / GRAPH).write_bytes(model.SerializeToString())
        (Path(scratch) / TENSORS).write_bytes((folder / TENSORS).read_bytes())
        session = open_session(Path(scratch) / GRAPH, "batched", optimize=False)
    return lambda: [session.run(None, {INPUT: batch}) for batch in batches]


def cold(variant: str) -> dict[str, float]:
    """A fresh process to its first vector, wall time inside it and resident memory."""
    command = [sys.executable, "-c", COLD, f"minilm-l6-{variant}", str(read_settings().cache)]
    found = []
    for _ in range(8):
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found.append([float(part) for part in done.stdout.split()])
    taken, rss, peak = np.array(found[1:]).T
    return {
        "p50_s": round(float(np.median(taken)), 3),
        "min_s": round(float(taken.min()), 3),
        "max_s": round(float(taken.max()), 3),
        "rss_mb": round(float(np.median(rss))),
        "peak_rss_mb": round(float(np.median(peak))),
    }


def agreement(fp32: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """Cosine text by text, and how often the nearest other text is the same one."""
    cosines = np.einsum("ij,ij->i", fp32, other)

    def nearest(vectors: np.ndarray) -> np.ndarray:
        return (vectors @ vectors.T - 2 * np.eye(len(vectors), dtype=np.float32)).argmax(axis=1)

    return {
        "mean": round(float(cosines.mean()), 5),
        "least": round(float(cosines.min()), 5),
        "same_nearest_ratio": round(float((nearest(fp32) == nearest(other)).mean()), 3),
    }


def accuracy(
    train: np.ndarray, labels: np.ndarray, test: np.ndarray, truth: np.ndarray, seed: int = 0
) -> dict[str, dict[str, float]]:
    """Prototypes from `n_shot` texts a class, the whole test set; the same draws for every one."""
    rng = np.random.default_rng(seed)
    classes = np.unique(labels)
    found: dict[str, list[float]] = {f"{n_shot}_shot": [] for n_shot in SHOTS}
    for _ in range(N_DRAWS):
        orders = [rng.permutation(np.flatnonzero(labels == one)) for one in classes]
        for n_shot in SHOTS:
            means = np.stack([train[order[:n_shot]].mean(axis=0) for order in orders])
            means /= np.linalg.norm(means, axis=1, keepdims=True)
            right = classes[(test @ means.T).argmax(axis=1)] == truth
            found[f"{n_shot}_shot"].append(100 * float(right.mean()))
    return {
        name: {"mean": round(float(np.mean(a)), 2), "sd": round(float(np.std(a, ddof=1)), 2)}
        for name, a in found.items()
    }


class Rival:
    """sentence-transformers behind the same call."""

    def __init__(self, folder: str) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(1)
        self._model = SentenceTransformer(folder, device="cpu")

    def encode(self, samples: list[Any]) -> np.ndarray:
        texts = [sample.value for sample in samples]
        return np.asarray(self._model.encode(texts, show_progress_bar=False))


def quality(
    encoders: dict[str, Any], train: list[dict[str, str]], test: list[dict[str, str]]
) -> dict[str, Any]:
    """Parity with the rival, accuracy on BANKING77, agreement of int8 with fp32."""
    record: dict[str, Any] = {}
    if "sentence-transformers" in encoders:
        say("parity ...")
        thousand = [minilm.text_sample(row["text"]) for row in train[::10][:1000]]
        expected = encoders["sentence-transformers"].encode(thousand)
        record["parity_with_sentence_transformers"] = {
            variant: agreement(expected, encoders[variant].encode(thousand)) for variant in VARIANTS
        }
    say("BANKING77 ...")
    vectors = {
        (variant, part): opened(variant, 2).encode([minilm.text_sample(r["text"]) for r in table])
        for variant in VARIANTS
        for part, table in (("train", train), ("test", test))
    }
    labels, truth = (np.array([row["category"] for row in table]) for table in (train, test))
    record["banking77"] = {
        v: accuracy(vectors[v, "train"], labels, vectors[v, "test"], truth) for v in VARIANTS
    }
    record["int8_against_fp32"] = agreement(vectors["fp32", "test"], vectors["int8", "test"])
    return record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--rival", help="model folder for sentence-transformers")
    parser.add_argument("--speed-only", action="store_true", help="leave the accuracy part out")
    chosen = parser.parse_args()
    train, test = rows(chosen.train), rows(chosen.test)
    encoders: dict[str, Any] = {variant: opened(variant) for variant in VARIANTS}
    if chosen.rival:
        encoders["sentence-transformers"] = Rival(chosen.rival)
    libraries = ("onnxruntime", "onnx", "tokenizers", "numpy", "torch", "sentence-transformers")
    record: dict[str, Any] = {"machine": machine(), "versions": versions(*libraries)}
    record["choice"] = ModelCache(read_settings().cache).choice(minilm.FAMILY)
    say("latency ...")
    record["latency"] = latency(encoders)
    say("throughput ...")
    record["throughput"] = throughput([row["text"] for row in test[:400]])
    say("cold start ...")
    record["cold"] = {variant: cold(variant) for variant in VARIANTS}
    if not chosen.speed_only:
        record |= quality(encoders, train, test)
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
