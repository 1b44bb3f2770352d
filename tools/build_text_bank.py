"""Build the background bank of the text encoder: everyday utterances of no class, as vectors.

    python tools/build_text_bank.py ../shared/data

Texts come from two sets whose licences allow it: InjongoIntent English (Apache-2.0), a few of
each of its 40 intents, and IT service tickets (CC0), the short ones of each of 8 topics. Which ones
is decided by the hash of the text, so the bank can be built again. Only vectors are written, as
8-bit rows; reading makes them unit length again. Both variants of the encoder share the bank.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
from collections import defaultdict
from pathlib import Path

import numpy as np

from imprint.encoders.catalogue import load_encoder, minilm
from imprint.settings import read_settings
from imprint.vectors import unit

BANK = Path(__file__).parents[1] / "src/imprint/encoders/banks" / f"{minilm.FAMILY}.safetensors"
N_PER_INTENT = 15
N_PER_TOPIC = 75
LONGEST_TICKET = 160


def spread(texts: list[tuple[str, str]], n_each: int) -> list[str]:
    """Take up to `n_each` different texts of every kind, in the order of their hashes."""
    kinds: dict[str, set[str]] = defaultdict(set)
    for kind, text in texts:
        kinds[kind].add(" ".join(text.split()))

    def digest(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    return [text for kind in sorted(kinds) for text in sorted(kinds[kind], key=digest)[:n_each]]


def background_texts(shared: Path) -> list[str]:
    """Read both sets."""
    with (shared / "injongo_intent/eng_train.jsonl").open(encoding="utf-8") as stream:
        utterances = [(row["intent"], row["text"]) for row in map(json.loads, stream)]
    with (shared / "it_tickets/dev.csv").open(encoding="utf-8", newline="") as stream:
        tickets = [(row["label"], row["text"]) for row in csv.DictReader(stream)]
    short = [(topic, text) for topic, text in tickets if len(text) <= LONGEST_TICKET]
    return spread(utterances, N_PER_INTENT) + spread(short, N_PER_TOPIC)


def main() -> None:
    """Embed and write."""
    from safetensors.numpy import save_file

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path, help="folder that holds injongo_intent and it_tickets")
    chosen = parser.parse_args()
    texts = background_texts(chosen.shared)
    settings = read_settings()
    encoder = load_encoder("minilm-l6-fp32", cache_dir=settings.cache, mirror=settings.model_mirror)
    vectors = encoder.encode([minilm.text_sample(text) for text in texts])
    scales = np.abs(vectors).max(axis=1, keepdims=True) / 127
    rows = np.rint(vectors / scales).astype(np.int8)
    metadata = {
        "encoder": encoder.version,
        "texts": "InjongoIntent English (Apache-2.0); IT service tickets (CC0); vectors only",
        "n_rows": str(len(rows)),
    }
    save_file({"vectors": rows}, BANK, metadata=metadata)
    BANK.chmod(0o644)
    agreement = np.einsum("ij,ij->i", unit(rows), vectors).min()
    print(f"{len(rows)} rows, {BANK.stat().st_size:,} bytes, least cosine {agreement:.5f}")


if __name__ == "__main__":
    main()
