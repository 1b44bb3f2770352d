"""Measure answering together: episodes asked query by query, and with queries informing others.

    python benchmarks/transductive.py ../shared/data --vectors build/vectors
    python benchmarks/transductive.py ../shared/data --vectors build/vectors --image caltech.npz

Balanced queries, and class shares drawn from Dirichlet(1): the same episodes, each both ways. A
file named with --image holds `vectors` and `labels` of the built-in image encoder. Prints Markdown.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

import imprint
from heads import Vectors, bank, table
from imprint.encoders import banks
from imprint.vectors import unit

SETS = ("banking77", "injongo_swa", "it_tickets")


def image_bank() -> np.ndarray:
    path = Path(banks.__file__).parent / "image-small.safetensors"
    return unit(load_file(path)["vectors"].astype(np.float32))


def rows_of(
    vectors: np.ndarray, labels: np.ndarray, background: np.ndarray, n_episodes: int
) -> list[list[str]]:
    made = []
    for n_shot in (1, 5):
        for alpha in (None, 1.0):
            found = []
            for together in (False, True):
                report = imprint.evaluate(
                    vectors,
                    [str(label) for label in labels],
                    n_shot=n_shot,
                    n_episodes=n_episodes,
                    alpha=alpha,
                    background=background,
                    transductive=together,
                )
                found.append(
                    (100 * report.top1.mean, 100 * report.top1.ci95, 100 * report.ece.mean)
                )
            (alone, wide, off), (joined, wide_joined, off_joined) = found
            made.append(
                [
                    str(n_shot),
                    "balanced" if alpha is None else "Dirichlet(1)",
                    f"{alone:.1f} ± {wide:.1f} ({off:.1f})",
                    f"{joined:.1f} ± {wide_joined:.1f} ({off_joined:.1f})",
                    f"{joined - alone:+.1f}",
                ]
            )
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("--vectors", type=Path, default=Path("build/vectors"))
    parser.add_argument("--image", type=Path, nargs="*", default=[])
    parser.add_argument("--episodes", type=int, default=600)
    chosen = parser.parse_args()
    vectors = Vectors(chosen.shared, chosen.vectors)
    columns = ["shots", "queries", "alone: top-1 % (ECE %)", "together: top-1 % (ECE %)", "gain"]
    for name in SETS:
        rows, labels = vectors("banking77_test" if name == "banking77" else name)
        made = rows_of(rows, labels, bank(), chosen.episodes)
        table(f"{name}: 5-way, {chosen.episodes} episodes", columns, made)
    for path in chosen.image:
        with np.load(path) as stored:
            made = rows_of(stored["vectors"], stored["labels"], image_bank(), chosen.episodes)
        table(f"{path.name.split('.')[0]}: 5-way, {chosen.episodes} episodes", columns, made)


if __name__ == "__main__":
    main()
