"""The main job, timed: teach durably, classify, search and decide, against embedded rivals.

    python benchmarks/main_job.py --rivals PYTHON --weights FOLDER

PYTHON is an interpreter with chromadb, lancedb and qdrant-client installed (their own environment,
so that their dependencies do not mix with ours); without it the rivals are left out. The sentence
encoder reference needs sentence-transformers and scikit-learn in this environment.
Prints one JSON document; the record is docs/measurements/main-job.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

import imprint
from imprint.flows.answering.snapshot import Snapshot
from imprint.flows.policy import Policy
from imprint.heads.decider import Decider
from imprint.index.exact import ExactIndex
from imprint.vectors import RowBlocks, unit
from machine import machine, rss_mb, say, spread_ms, timed, versions

WORDS = (
    *("account", "card", "payment", "transfer", "refund", "invoice", "parcel", "order", "login"),
    *("password", "address", "delivery", "charge", "balance", "limit", "cash", "travel", "phone"),
    *("exchange", "rate", "cancel", "update", "verify", "identity", "email"),
)


def sentence(rng: np.random.Generator, n_words: int = 8) -> str:
    """About ten tokens of everyday words; with a number so that no two are equal."""
    return " ".join([*rng.choice(WORDS, n_words - 1), str(rng.integers(1_000_000))])


def clustered(n: int, dim: int, rng: np.random.Generator, n_clusters: int = 1000) -> np.ndarray:
    centers = rng.normal(size=(n_clusters, dim))
    return unit(centers[rng.integers(0, n_clusters, n)] + 0.6 * rng.normal(size=(n, dim)))


def teach_and_recognize(folder: Path, n_supports: int, repeats: int) -> dict[str, object]:
    """One taught text, durable and recognizable, at n_supports, with the built-in text encoder."""
    rng = np.random.default_rng(0)
    with imprint.open(folder / "teach.imprint.d") as workspace:
        collection = workspace.collection("t", modality="text")
        pairs = [(f"class {i % 250}", sentence(rng)) for i in range(n_supports)]
        say(f"teaching {n_supports} supports")
        list(collection.teach_many(pairs))
        collection.classify("warm up")
        collection.settle()
        teach, both, classify = [], [], []
        for i in range(repeats):
            text = sentence(rng)
            start = time.perf_counter()
            receipt = collection.teach(f"class {i % 250}", text)
            taught = time.perf_counter()
            answer = collection.classify(sentence(rng), min_sequence=receipt.sequence)
            done = time.perf_counter()
            assert answer.sequence >= receipt.sequence
            teach.append(taught - start)
            classify.append(done - taught)
            both.append(done - start)
        return {
            "n_supports": n_supports,
            "encoder": collection.encoder_version,
            "teach": spread_ms(teach),
            "teach_then_classify": spread_ms(both),
            "classify": spread_ms(classify),
        }


def classify_many_classes(
    folder: Path, n_classes: int, repeats: int, weights: str | None
) -> dict[str, object]:
    """One ten-token text end to end in process at n_classes of one, against the usual stack."""
    rng = np.random.default_rng(1)
    texts = [sentence(rng) for _ in range(n_classes)]
    queries = iter([sentence(rng) for _ in range(4 * repeats + 20)])
    with imprint.open(folder / "classes.imprint.d") as workspace:
        collection = workspace.collection("t", modality="text")
        list(collection.teach_many((f"class {i}", text) for i, text in enumerate(texts)))
        collection.classify("warm up")
        collection.settle()
        ours = timed(lambda: collection.classify(next(queries)), repeats)
    found: dict[str, object] = {"n_classes": n_classes, "imprint": spread_ms(ours)}
    rival = usual_stack(texts, weights)
    if rival is not None:
        theirs = timed(lambda: rival(next(queries)), repeats)
        found["sentence_transformers_and_sklearn"] = spread_ms(theirs)
        found["times_faster"] = round(np.median(theirs) / np.median(ours), 2)
    return found


def usual_stack(texts: list[str], folder: str | None):
    """sentence-transformers plus a scikit-learn 1-NN, single-threaded as ours."""
    try:
        import torch
        from sentence_transformers import SentenceTransformer
        from sklearn.neighbors import KNeighborsClassifier
    except ImportError:
        return None
    if folder is None:
        return None

    torch.set_num_threads(1)
    model = SentenceTransformer(folder, device="cpu")
    vectors = model.encode(texts, normalize_embeddings=True)
    nearest = KNeighborsClassifier(1, metric="cosine", algorithm="brute").fit(
        vectors, range(len(texts))
    )

    def classify(text: str) -> object:
        return nearest.predict(model.encode([text], normalize_embeddings=True))

    return classify


def search_and_decide(n_supports: int, repeats: int) -> dict[str, object]:
    """Neighbors, scores, calibrated decision over n_supports of 384 dimensions; no encoder."""
    rng = np.random.default_rng(2)
    vectors = clustered(n_supports, 384, rng)
    labels = [f"class {i % 1000}" for i in range(n_supports)]
    rows = RowBlocks.of(vectors)
    policy = Policy()
    decider = Decider.fit(rows, labels, head=policy.head, rng=np.random.default_rng(0))
    index = ExactIndex.over([f"s{i}" for i in range(n_supports)], rows)
    snapshot = Snapshot(index, decider, n_supports, n_supports)
    queries = iter(
        unit(
            vectors[rng.integers(0, n_supports, 4 * repeats)]
            + 0.02 * rng.normal(size=(4 * repeats, 384))
        )
    )

    def once() -> None:
        query = next(queries)[None]
        similarities = snapshot.index.similarities(query)
        snapshot.decider.decide(query, top_k=5, support_similarities=similarities)
        snapshot.nearest(query, 5, similarities)

    return {
        "n_supports": n_supports,
        "head": decider.calibration.head,
        "search_and_decide": spread_ms(timed(once, repeats)),
    }


class GivenVectors:
    """Encoder that looks vectors up by text: the job with vectors given, as the rivals have it."""

    name, modality, dim, version, background = "given", "text", 384, "given@0000000000000000", None

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors = vectors

    def encode(self, samples):
        return self.vectors[[int(sample.value) for sample in samples]]


def add_then_find(folder: Path, n: int, repeats: int) -> dict[str, object]:
    """Add one vector durably, then find it, at n vectors: ours, full teach and classify."""
    vectors = clustered(n + repeats + 10, 384, np.random.default_rng(3))
    with imprint.open(folder / "given.imprint.d") as workspace:
        collection = workspace.collection("v", modality="text", encoder=GivenVectors(vectors))
        list(collection.teach_many((f"class {i % 1000}", str(i)) for i in range(n)))
        collection.classify("0")
        collection.settle()
        number = iter(range(n, n + repeats + 5))

        def once() -> None:
            i = next(number)
            receipt = collection.teach(f"class {i % 1000}", str(i))
            answer = collection.classify(str(i))
            assert answer.evidence[0].support_id == receipt.support_id

        return spread_ms(timed(once, repeats))


def rivals(python: str, n: int, repeats: int) -> dict[str, object]:
    """The same job by chromadb, lancedb and qdrant-client, each in a process of its own."""
    found = {}
    for name in ("chromadb", "lancedb", "qdrant"):
        say(f"rival {name}")
        script = Path(__file__).with_name("rival_add_find.py")
        run = subprocess.run(
            [python, str(script), name, str(n), str(repeats)],
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        found[name] = (
            json.loads(run.stdout) if run.returncode == 0 else {"failed": run.stderr[-300:]}
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rivals", help="Python interpreter that has the rival packages")
    parser.add_argument("--weights", help="sentence-transformers folder of all-MiniLM-L6-v2")
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--only", choices=["teach", "classify", "search", "given"])
    chosen = parser.parse_args()
    results: dict[str, object] = {
        "machine": machine(),
        "versions": versions(
            "numpy", "onnxruntime", "sqlalchemy", "sentence-transformers", "scikit-learn", "torch"
        ),
    }
    with tempfile.TemporaryDirectory(dir=".") as temporary:
        folder = Path(temporary)
        if chosen.only in (None, "teach"):
            results["teach_and_recognize"] = teach_and_recognize(folder, 1000, chosen.repeats)
            results["rss_mb_after_teach"] = round(rss_mb(), 1)
        if chosen.only in (None, "search"):
            results["search_and_decide"] = search_and_decide(10_000, chosen.repeats)
        if chosen.only in (None, "given"):
            ours = add_then_find(folder, 10_000, chosen.repeats)
            results["add_then_find_10000"] = {"imprint": ours}
            if chosen.rivals:
                results["add_then_find_10000"] |= rivals(chosen.rivals, 10_000, 50)
        if chosen.only in (None, "classify"):
            results["classify_1000_classes"] = classify_many_classes(
                folder, 1000, chosen.repeats, chosen.weights
            )
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
