"""A fake encoder that satisfies the contract: words hashed to directions, so texts that share
words are near each other and the geometry is real."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from imprint.vectors import unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.types import Sample, UnitVectors

DIM = 96


class WordEncoder:
    """Sum of one random direction per word."""

    name = "words"
    modality = "text"
    dim = DIM

    def __init__(self, salt: str = "") -> None:
        self.salt = salt
        self.version = f"words@{hashlib.sha256(salt.encode()).hexdigest()[:16]}"
        self._bank: UnitVectors | None = None

    @property
    def background(self) -> UnitVectors:
        if self._bank is None:
            rng = np.random.default_rng(5)
            texts = [" ".join(f"w{i}" for i in rng.integers(0, 400, 6)) for _ in range(200)]
            self._bank = unit([self._of(text) for text in texts])
        return self._bank

    def encode(self, samples: Sequence[Sample]) -> UnitVectors:
        return unit([self._of(str(sample.value)) for sample in samples])

    def _of(self, text: str) -> np.ndarray:
        return np.sum([self._word(word) for word in text.lower().split()], axis=0)

    def _word(self, word: str) -> np.ndarray:
        seed = hashlib.sha256((self.salt + word).encode()).digest()[:8]
        return np.random.default_rng(int.from_bytes(seed, "little")).normal(size=DIM)


TOPICS = {
    "refund": "money back refund return purchase order",
    "login": "password login account locked sign access",
    "delivery": "parcel courier late delivery tracking package",
    "invoice": "invoice tax bill vat receipt company",
}


def variants(topic: str, n: int, seed: int = 0) -> list[str]:
    """Texts that keep four of a topic's six words and add two of their own."""
    rng = np.random.default_rng([seed, sum(map(ord, topic))])
    words = TOPICS[topic].split()
    texts = []
    for i in range(n):
        kept = rng.choice(words, 4, replace=False)
        texts.append(" ".join([*kept, f"{topic}{seed}x{i}", f"extra{seed}x{i}"]))
    return texts
