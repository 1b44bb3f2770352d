"""Turn trained weights into what the package ships: network, 8-bit twin, cards and bank.

python -m imprint.train.image_small.shipping --trunk T.pt --branch B.pt --data DIR --into DIR
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from imprint.encoders.pixels import PixelRecipe
from imprint.train.augment.image import Dice
from imprint.train.image_small.local.branch import load_branch
from imprint.train.image_small.local.views import board_views, draw_all, surface_views
from imprint.train.image_small.recipe import load_trunk
from imprint.train.image_small.sets import load_all
from imprint.train.image_small.shipping.bank import N_DRAWN, N_LEARNT, bank_samples, write_bank
from imprint.train.image_small.shipping.embedding import (
    Embedding,
    fitted,
    shown_of,
    shown_views,
)
from imprint.train.image_small.shipping.export import parity, write_eight_bit_model, write_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.train.image_small.backbone import Trunk
    from imprint.train.image_small.local.branch import LocalBranch
    from imprint.train.image_small.sets import ImageSet

NAME = "image-small"
RECIPE = PixelRecipe(160, views=("crop", "stretch", "close"), layout="uint8_nhwc")
LEAST_PARITY = 0.9999

LEARNT_FROM = [
    {
        "name": "Omniglot, background alphabets (964 characters)",
        "licence": "MIT",
        "attribution": "Brenden Lake, Ruslan Salakhutdinov, Joshua Tenenbaum, 2015",
    },
    {
        "name": "Caltech-101, 60 classes, at most 60 images each, reduced to 112 px",
        "licence": "CC BY 4.0 according to data set cards citing CaltechDATA",
        "attribution": "Fei-Fei Li, Marco Andreetto, Marc'Aurelio Ranzato, Pietro Perona",
    },
    {
        "name": "Tiny ImageNet, 64 classes of 200 images",
        "licence": "unclear: a subset of ImageNet, whose terms allow non-commercial research and "
        "education only; whether weights trained on it fall under them is disputed",
        "attribution": "Stanford CS231n; ImageNet, Deng et al. 2009",
    },
    {
        "name": "surfaces with marks and pieces of circuit boards, drawn by the recipe from a seed",
        "licence": "none needed: made for this package",
        "attribution": "imprint.train.image_small.local",
    },
]


def story(command: str, seed: int, minutes: float, figures: dict[str, Any]) -> dict[str, Any]:
    """What the card tells beside hashes and preprocessing."""
    return {
        "license": "Apache-2.0 for the weights as far as we can grant it; see learnt_from",
        "about": "photos, surfaces and line drawings; trained for this package in under two "
        "hours on two busy processor cores",
        "learnt_from": LEARNT_FROM,
        "never_seen": "Omniglot evaluation alphabets; every val and test split; DeepPCB, magnetic "
        "tiles, ORL faces",
        "recipe": {"command": command, "seed": seed, "minutes": minutes},
        "limits": "small and trained on few photos: for photos of everyday things a large public "
        "encoder is better; views cover the middle twice and the whole picture once",
        "background": f"{sum(N_LEARNT.values())} pictures of the train splits, spread over "
        f"classes, and {N_DRAWN} textures and shapes drawn by the recipe; vectors only",
        "figures": figures,
    }


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(prog="python -m imprint.train.image_small.shipping")
    options.add_argument("--trunk", type=Path, required=True)
    options.add_argument("--branch", type=Path, required=True)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--into", type=Path, required=True, help="the encoders folder")
    options.add_argument("--command", default="", help="how the trunk was trained, for the card")
    options.add_argument("--minutes", type=float, default=0.0, help="training time, for the card")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--figures", type=Path, help="JSON of measured figures, for the card")
    return options


def main(arguments: list[str] | None = None) -> None:
    """Export, check parity with torch, write the bank."""
    options = parser().parse_args(arguments)
    torch.set_num_threads(1)
    sets = load_all(options.data)
    figures = json.loads(options.figures.read_text()) if options.figures else {}
    embedding = shipped_embedding(
        load_trunk(options.trunk), load_branch(options.branch), sets, options.seed
    )
    told = story(options.command, options.seed, options.minutes, figures)
    encoder = write_model(embedding, options.into / "models", NAME, RECIPE, told)
    samples = bank_samples(sets, options.seed)
    agreement = parity(embedding, encoder, samples[::10])
    if agreement < LEAST_PARITY:
        raise RuntimeError(f"the exported file agrees with torch only to cosine {agreement:.6f}")
    write_bank(encoder, samples, options.into / "banks" / f"{NAME}.safetensors", told["background"])
    light = write_eight_bit_model(embedding, options.into / "models", encoder, samples[::4], told)
    close = (encoder.encode(samples) * light.encode(samples)).sum(axis=1)
    sys.stderr.write(
        f"{encoder.version}: cosine with torch >= {agreement:.6f}\n"
        f"{light.version}: cosine with fp32, mean {close.mean():.4f}, least {close.min():.4f}\n"
    )


def shipped_embedding(
    trunk: Trunk, branch: LocalBranch, sets: Sequence[ImageSet], seed: int
) -> Embedding:
    """Trunk and branch joined, centered and evened out on the training sets."""
    drawn, dice, side = draw_all(seed, 200, 8, 40), Dice(seed), RECIPE.side_px
    views = [make(drawn, 800, side, dice) for make in (surface_views, board_views)]
    return fitted(
        Embedding(trunk, branch),
        [shown_of(one, side) for one in sets],
        [shown_views(*one) for one in views],
        [shown_of(one, side, 600, gray=True) for one in sets if not one.drawing],
    )
