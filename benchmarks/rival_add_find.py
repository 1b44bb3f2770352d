"""Add one 384-wide vector durably, then find it, with an embedded vector store.

    python benchmarks/rival_add_find.py chromadb|lancedb|qdrant N REPEATS

Run by benchmarks/main_job.py in an environment that has the package. Uses no Imprint code. Each
store is used as its own documentation shows for local persistent use.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np


def clustered(n: int, rng: np.random.Generator) -> np.ndarray:
    centers = rng.normal(size=(1000, 384))
    rows = centers[rng.integers(0, 1000, n)] + 0.6 * rng.normal(size=(n, 384))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def chroma(folder: str, vectors: np.ndarray) -> tuple[Callable[[int], None], Callable[[int], int]]:
    import chromadb
    from chromadb.config import Settings

    client = chromadb.PersistentClient(folder, Settings(anonymized_telemetry=False))
    store = client.create_collection("vectors", metadata={"hnsw:space": "cosine"})
    for start in range(0, len(vectors), 2000):
        part = vectors[start : start + 2000]
        store.add(ids=[str(start + i) for i in range(len(part))], embeddings=part)

    def add(i: int, row: np.ndarray) -> None:
        store.add(ids=[str(i)], embeddings=[row])

    def find(row: np.ndarray) -> int:
        return int(store.query(query_embeddings=[row], n_results=5)["ids"][0][0])

    return add, find


def lance(folder: str, vectors: np.ndarray):
    import lancedb

    table = lancedb.connect(folder).create_table(
        "v", [{"id": i, "vector": row} for i, row in enumerate(vectors)]
    )

    def add(i: int, row: np.ndarray) -> None:
        table.add([{"id": i, "vector": row}])

    def find(row: np.ndarray) -> int:
        return int(table.search(row).metric("cosine").limit(5).to_list()[0]["id"])

    return add, find


def qdrant(folder: str, vectors: np.ndarray):
    from qdrant_client import QdrantClient
    from qdrant_client.models import Distance, PointStruct, VectorParams

    client = QdrantClient(path=folder)
    client.create_collection("v", vectors_config=VectorParams(size=384, distance=Distance.COSINE))
    for start in range(0, len(vectors), 1000):
        part = vectors[start : start + 1000]
        client.upsert(
            "v", [PointStruct(id=start + i, vector=row.tolist()) for i, row in enumerate(part)]
        )

    def add(i: int, row: np.ndarray) -> None:
        client.upsert("v", [PointStruct(id=i, vector=row.tolist())])

    def find(row: np.ndarray) -> int:
        return int(client.query_points("v", query=row.tolist(), limit=5).points[0].id)

    return add, find


def main() -> None:
    name, n, repeats = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    vectors = clustered(n + repeats, np.random.default_rng(3))
    with tempfile.TemporaryDirectory(dir=Path.cwd(), ignore_cleanup_errors=True) as folder:
        add, find = {"chromadb": chroma, "lancedb": lance, "qdrant": qdrant}[name](
            folder, vectors[:n]
        )
        taken, found = [], 0
        for i in range(n, n + repeats):
            start = time.perf_counter()
            add(i, vectors[i])
            found += find(vectors[i]) == i
            taken.append(time.perf_counter() - start)
        from importlib.metadata import version

        package = "qdrant-client" if name == "qdrant" else name
        print(
            json.dumps(
                {
                    "version": version(package),
                    "p50_ms": round(statistics.median(taken) * 1e3, 2),
                    "min_ms": round(min(taken) * 1e3, 2),
                    "max_ms": round(max(taken) * 1e3, 2),
                    "found": found,
                    "asked": repeats,
                }
            )
        )


if __name__ == "__main__":
    main()
