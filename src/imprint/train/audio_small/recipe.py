"""The recipe of the shipped audio encoder: python -m imprint.train.audio_small --out DIR.

No recording goes in: words and sounds are invented (speech.py, sounds.py), rendered once into the
folder and learnt from.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from imprint.train.audio_small.corpus import Corpus, sounds, words
from imprint.train.audio_small.loop import LoopSettings, train
from imprint.train.precision import keep_freed_memory

N_RENDITIONS = 8


def corpora(options: argparse.Namespace) -> list[Corpus]:
    """Words and sounds, from the output folder or rendered into it."""
    found = []
    for name, render, n_classes in (
        ("words", words, options.words),
        ("sounds", sounds, options.sounds),
    ):
        corpus = Corpus.load(name, options.out)
        if corpus is None or len(corpus.pictures) != n_classes:
            sys.stderr.write(f"rendering {n_classes} {name}, {N_RENDITIONS} times each\n")
            corpus = render(n_classes, N_RENDITIONS, options.seed)
            corpus.save(options.out)
        found.append(corpus)
    return found


def parser() -> argparse.ArgumentParser:
    """The options of the recipe."""
    options = argparse.ArgumentParser(prog="python -m imprint.train.audio_small")
    options.add_argument("--out", type=Path, required=True, help="folder for weights and log")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--minutes", type=float, default=10.0, help="of processor time")
    options.add_argument("--words", type=int, default=1200, help="how many words to invent")
    options.add_argument("--sounds", type=int, default=360, help="how many sounds to invent")
    options.add_argument("--start", type=Path, help="network.pt of an earlier run to go on from")
    options.add_argument("--peak-rate", type=float, default=2e-3, help="largest learning rate")
    return options


def main(arguments: list[str] | None = None) -> None:
    """Render what is missing, train, and leave `network.pt` in the output folder."""
    options = parser().parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    keep_freed_memory()
    settings = LoopSettings(options.minutes * 60, options.seed, peak_rate=options.peak_rate)
    train(corpora(options), settings, options.out, options.start)
