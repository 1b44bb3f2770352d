"""Measure an encoder's screening card on labelled sets, and print it or write it.

    python tools/build_screening_card.py minilm-l6 ../shared/data/banking77/train.csv ... --write

Every set is what `imprint evaluate --data` takes. The card holds four numbers (their meaning:
`imprint.intake.screen.yardstick`). `median` and `spread` are of the log-odds of genuine samples at
one example a class, over 5, 10 and 20 classes, the mean of all sets. `duplicate` lies halfway from
the cosine that all but half a percent of samples stay under with samples of other classes to 1, the
strictest set counting, and is --least-duplicate or more.
`stable` is what all but half a percent keep with themselves, smoothed a little; it costs every
picture a second embedding, so a card carries it only with --stable.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from imprint.encoders.catalogue import load_encoder
from imprint.errors import InvalidInputError
from imprint.flows.tables import TableRow, open_table
from imprint.heads.open_set import thinned
from imprint.heads.supports import SupportSet
from imprint.intake.decode import to_sample
from imprint.intake.screen.fit import _CLASSES_SLOPE, Frame
from imprint.intake.screen.perturb import perturbed
from imprint.intake.screen.yardstick import KIND, ScreeningCard, Yardstick
from imprint.settings import read_settings
from imprint.vectors import RowBlocks

BANKS = Path(__file__).parents[1] / "src/imprint/encoders/banks"
WAYS, N_DRAWS, N_ASKED = (5, 10, 20), 60, 5
LARGEST_DUPLICATE = 0.985


def embedded(encoder, place: Path, most: int, seed: int):
    """Samples, vectors and labels of a set, as many as asked for."""
    rows = [row for row in open_table(place).rows() if isinstance(row, TableRow)]
    order = np.random.default_rng(seed).permutation(len(rows))[:most]
    samples, labels = [], []
    for row in order.tolist():
        try:
            samples.append(to_sample(rows[row].source, encoder.modality))
        except InvalidInputError:
            continue
        labels.append(rows[row].label)
    batches = range(0, len(samples), 64)
    vectors = np.concatenate([encoder.encode(samples[at : at + 64]) for at in batches])
    return samples, vectors, np.array(labels)


def odds_of(vectors, labels, yardstick, bank_mean, seed: int) -> tuple[float, float]:
    """Median and way to the ninetieth percentile, as with one other class."""
    rng = np.random.default_rng([seed, 1])
    rows = {c: np.flatnonzero(labels == c) for c in np.unique(labels)}
    able = [c for c, found in rows.items() if len(found) > 1]
    middles, spreads = [], []
    for n_way in [w for w in WAYS if w <= len(able)] or [len(able)]:
        odds = []
        for _ in range(N_DRAWS):
            chosen = [rng.permutation(rows[c]) for c in rng.choice(able, n_way, replace=False)]
            taught = RowBlocks.of(vectors[[one[0] for one in chosen]])
            supports = SupportSet.of(taught, [str(c) for c in range(n_way)], bank_mean)
            asked = [one[1 : 1 + N_ASKED] for one in chosen]
            own = np.concatenate([np.full(len(one), c) for c, one in enumerate(asked)])
            frame = Frame.of(supports, yardstick)
            odds.append(frame.log_odds(vectors[np.concatenate(asked)], own))
        found = np.concatenate(odds)
        middles.append(float(np.median(found)) - _CLASSES_SLOPE * np.log(n_way - 1))
        spreads.append(float(np.quantile(found, 0.9) - np.median(found)))
    return float(np.mean(middles)), float(np.mean(spreads))


def duplicate_of(vectors, labels) -> float:
    """Cosine with the nearest sample of another class that half a percent exceed."""
    near = vectors @ vectors.T
    near[labels[:, None] == labels[None, :]] = -1.0
    return float(np.quantile(near.max(axis=1), 0.995))


def stable_of(encoder, samples, vectors) -> float:
    """Cosine of a sample with itself, changed a little, that half a percent fall short of."""
    some = [(one, vector) for one, vector in zip(samples, vectors, strict=True)][:400]
    changed = [perturbed(one) for one, _ in some]
    if any(one is None for one in changed):
        return 0.0
    batches = range(0, len(changed), 64)
    again = np.concatenate([encoder.encode(changed[at : at + 64]) for at in batches])
    kept = (again * np.stack([vector for _, vector in some])).sum(axis=1)
    return float(np.quantile(kept, 0.005))


def main() -> None:
    """Measure every set, print what was found, and write the card when asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("family", help="family of the encoder, such as image-small")
    parser.add_argument("sets", nargs="+", type=Path, help="labelled material")
    parser.add_argument("--most", type=int, default=1200, help="samples of a set, at the most")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--least-duplicate", type=float, default=0.95)
    parser.add_argument("--stable", action="store_true", help="let the card carry it")
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    settings = read_settings()
    encoder = load_encoder(chosen.family, cache_dir=settings.cache, mirror=settings.model_mirror)
    yardstick = Yardstick.of(ScreeningCard(), encoder.background, encoder.dim)
    bank = thinned(encoder.background, encoder.dim)
    found = []
    for place in chosen.sets:
        samples, vectors, labels = embedded(encoder, place, chosen.most, chosen.seed)
        mean = np.zeros(encoder.dim, np.float32) if bank is None else bank.mean(axis=0)
        median, spread = odds_of(vectors, labels, yardstick, mean, chosen.seed)
        found.append(
            (median, spread, duplicate_of(vectors, labels), stable_of(encoder, samples, vectors))
        )
        shown = ", ".join(f"{value:.3f}" for value in found[-1])
        print(f"{place.stem}: median, spread, duplicate, stable {shown}", flush=True)
    medians, spreads, duplicates, stables = np.array(found).T
    card = {
        "kind": KIND,
        "family": chosen.family,
        "median": round(float(medians.mean()), 2),
        "spread": round(float(spreads.mean()), 2),
        "duplicate": round(
            float(np.clip(0.5 + duplicates.max() / 2, chosen.least_duplicate, LARGEST_DUPLICATE)), 3
        ),
        "stable": round(float(stables.min()), 3) if chosen.stable else 0.0,
    }
    print(json.dumps(card, indent=2))
    if chosen.write:
        place = BANKS / f"{chosen.family}.screening.json"
        place.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
