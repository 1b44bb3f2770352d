"""What the demo plays: examples to teach and queries to ask, for tickets and for symbols."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from imprint.recipes.demo import symbols, tickets

if TYPE_CHECKING:
    from PIL import Image

    # The demo shows text and images; both are sources as they are.
    Source = str | Image.Image

N_PER_SYMBOL = 4
N_PER_UNKNOWN = 2
# The owner's choice in this demo: of queries of no class one in ten may be given one. Stricter
# refuses more known queries, laxer names more unknown ones.
FALSE_ACCEPT_RATE = 0.1


@dataclass(frozen=True, slots=True)
class Query:
    """One question to the collection. `label` is the truth, None for a query of no class."""

    source: Source = field(repr=False)
    label: str | None
    caption: str


@dataclass(frozen=True, slots=True)
class Scene:
    """One collection of the demo: a single example for every class, and queries."""

    name: str
    title: str
    modality: Literal["text", "image"]
    about: str
    examples: dict[str, Source] = field(repr=False)
    queries: tuple[Query, ...] = field(repr=False)
    false_accept_rate: float = FALSE_ACCEPT_RATE


def tickets_scene() -> Scene:
    """Support tickets: 12 intents, 48 known queries and 24 of no class."""
    known = [Query(text, label, text) for label, texts in tickets.KNOWN.items() for text in texts]
    unknown = [Query(text, None, text) for text in tickets.UNKNOWN]
    return Scene(
        name="tickets",
        title="Support tickets",
        modality="text",
        about="messages to a furniture shop; a third of the queries are about something else",
        examples=dict(tickets.EXAMPLES),
        queries=(*known, *unknown),
    )


def symbols_scene(seed: int) -> Scene:
    """Symbols: 10 classes, 40 disturbed queries of them and 20 of symbols never taught."""
    rng = np.random.default_rng(seed)
    known = [
        Query(symbols.disturbed(name, rng), name, f"{name}, disturbed")
        for name in symbols.KNOWN
        for _ in range(N_PER_SYMBOL)
    ]
    unknown = [
        Query(symbols.disturbed(name, rng), None, f"{name}, never taught")
        for name in symbols.UNKNOWN
        for _ in range(N_PER_UNKNOWN)
    ]
    return Scene(
        name="symbols",
        title="Drawn symbols",
        modality="image",
        about="drawn just now; queries are turned, scaled, moved, blurred, noisy and recolored",
        examples={name: symbols.clean(name) for name in symbols.KNOWN},
        queries=(*known, *unknown),
    )
