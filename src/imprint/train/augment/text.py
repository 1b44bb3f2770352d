"""Changes to a text that leave its class as it is: words dropped, words swapped, said otherwise.

Words are what stands between spaces. Every function draws from the `rng` it is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from imprint.errors import InvalidOptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np


class BackTranslation(Protocol):
    """Says texts again in other words, as translating there and back does (Sennrich et al. 2016).

    Nothing is shipped for it: bring a function around the translator you trust. It returns one
    text for each, in order; an empty one means that it has nothing to offer.
    """

    def __call__(self, texts: Sequence[str]) -> Sequence[str]:
        """Return each text in other words."""
        ...


def with_words_dropped(text: str, rng: np.random.Generator, *, chance: float = 0.1) -> str:
    """Each word left out with the given chance; at least one always stays.

    Raises:
        InvalidOptionError: the chance is not within 0 .. 1.
    """
    _check_chance(chance)
    words = text.split()
    kept = [word for word, draw in zip(words, rng.random(len(words)), strict=True) if draw > chance]
    if not kept and words:
        kept = [words[int(rng.integers(len(words)))]]
    return " ".join(kept)


def with_words_swapped(text: str, rng: np.random.Generator, *, n_swaps: int = 1) -> str:
    """Two words at random places change places, `n_swaps` times (Wei and Zou 2019)."""
    words = text.split()
    for _ in range(n_swaps if len(words) > 1 else 0):
        first, second = rng.choice(len(words), 2, replace=False).tolist()
        words[first], words[second] = words[second], words[first]
    return " ".join(words)


def said_otherwise(texts: Sequence[str], translate: BackTranslation) -> list[str]:
    """Texts as the translator gives them back; where it gives nothing, the text itself.

    Raises:
        InvalidOptionError: it returned another number of texts.
    """
    returned = list(translate(texts))
    if len(returned) != len(texts):
        raise InvalidOptionError(
            f"the back-translation returned {len(returned)} texts for {len(texts)}; it must "
            "return one for each, in order"
        )
    return [new.strip() or old for new, old in zip(returned, texts, strict=True)]


def _check_chance(chance: float) -> None:
    if not 0 <= chance <= 1:
        raise InvalidOptionError(f"a chance must be within 0 .. 1, got {chance}")
