"""Turn a trained network into what the package ships: network, card and background bank.

python -m imprint.train.audio_small.shipping.publish --run DIR --into DIR
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

from imprint.encoders.audio.encoder import SHIPPED, SHIPPED_8_BIT
from imprint.train.audio_small.corpus import Corpus
from imprint.train.audio_small.loop import load_network
from imprint.train.audio_small.shipping.bank import N_SOUNDS, N_WORDS, bank_samples, write_bank
from imprint.train.audio_small.shipping.export import (
    embedding_of,
    parity,
    write_eight_bit_model,
    write_model,
)

LEAST_PARITY = 0.9999
LEAST_PARITY_8_BIT = 0.98


def story(command: str, figures: dict[str, Any]) -> dict[str, Any]:
    """What the card tells beside hashes and preprocessing."""
    return {
        "license": "Apache-2.0",
        "about": "short words and everyday sounds; learnt from invented words and sounds alone, "
        "no recording went in",
        "learnt_from": [
            {
                "name": "words of a formant synthesizer and procedural sounds, drawn by the recipe",
                "licence": "Apache-2.0, part of this package",
                "attribution": "the Imprint authors",
            }
        ],
        "never_seen": "any recording; Free Spoken Digit Dataset and ESC-10 were looked at to "
        "choose settings, not learnt from",
        "recipe": {"command": command},
        "limits": "one thing at a time: no separation of voices, no long speech, no melody; words "
        "are told apart by how they sound, not by what they mean; who speaks is not told at all",
        "background": f"{N_WORDS} words and {N_SOUNDS} sounds the recipe invents for nothing else; "
        "vectors only",
        "figures": figures,
    }


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(prog="python -m imprint.train.audio_small.shipping.publish")
    options.add_argument("--run", type=Path, required=True, help="the --out of the recipe")
    options.add_argument("--into", type=Path, required=True, help="the encoders folder")
    options.add_argument("--command", default="", help="how it was trained, for the card")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--figures", type=Path, help="JSON of measured figures, for the card")
    return options


def main(arguments: list[str] | None = None) -> None:
    """Export, make the 8-bit twin, check parity with torch, write the bank."""
    options = parser().parse_args(arguments)
    torch.set_num_threads(1)
    figures = json.loads(options.figures.read_text()) if options.figures else {}
    found = [Corpus.load(name, options.run) for name in ("words", "sounds")]
    learnt = [corpus for corpus in found if corpus is not None]
    if len(learnt) < len(found):
        raise RuntimeError("the run's folder lacks words.npy or sounds.npy; run the recipe again")
    embedding = embedding_of(load_network(options.run / "network.pt"), learnt)
    told = story(options.command, figures)
    samples = bank_samples(options.seed)
    encoder = write_model(embedding, options.into / "models", SHIPPED, told)
    light = write_eight_bit_model(encoder, SHIPPED_8_BIT, samples[::8], told)
    for one, least in ((encoder, LEAST_PARITY), (light, LEAST_PARITY_8_BIT)):
        agreement = parity(embedding, one, samples[1::8])
        sys.stderr.write(f"{one.version}: cosine with torch >= {agreement:.6f}\n")
        if agreement < least:
            raise RuntimeError(f"the file agrees with torch only to cosine {agreement:.6f}")
    bank = options.into / "banks" / f"{SHIPPED}.safetensors"
    write_bank(encoder, samples, bank, told["background"])


if __name__ == "__main__":
    main()
