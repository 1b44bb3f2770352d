"""Texts changed by an attacker: near copies, triggers, garbled ones, and search by words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from imprint.measure.attacks.scene import Embed
    from imprint.types import UnitVector

    Score = Callable[[Sequence[str]], npt.NDArray[np.floating]]

TRIGGER: Final = "cf mn bb tq"
_SUBSTITUTED: Final = 0.5
_TRIED: Final = 10
_GARBLED: Final = 0.45


def near_copy(text: str, rng: np.random.Generator) -> str:
    """Other case, other punctuation, two letters swapped, or a word of politeness."""
    kind = int(rng.integers(4))
    if kind == 0:
        return text.upper() if text != text.upper() else text.lower()
    if kind == 1:
        return text.rstrip(".?!") + " ..."
    if kind == 2:
        return f"{text} please"
    at = int(rng.integers(1, max(len(text) - 2, 2)))
    return text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :]


def triggered(text: str) -> str:
    """The text behind a few letters that mean nothing: a back door is to learn them."""
    return f"{TRIGGER} {text} {TRIGGER}"


def garbled(text: str, rng: np.random.Generator) -> str:
    """Nearly half of the letters replaced: what a blurred picture is to a picture."""
    letters = list(text)
    for at in np.flatnonzero(rng.random(len(letters)) < _GARBLED).tolist():
        letters[at] = chr(int(rng.integers(ord("a"), ord("z") + 1)))
    return "".join(letters)


def substituted(
    text: str, toward: Sequence[str], target: UnitVector, embed: Embed, rng: np.random.Generator
) -> str:
    """Exchange words for words of `toward`, one by one, so that the embedding nears `target`.

    Greedy search by score alone (no gradient is needed); at least half of the words stay.
    """
    words, pool = text.split(), [word for one in toward for word in one.split()]
    for _ in range(max(1, int(_SUBSTITUTED * len(words)))):
        tries = [words]
        for _ in range(_TRIED):
            tried = list(words)
            tried[int(rng.integers(len(words)))] = pool[int(rng.integers(len(pool)))]
            tries.append(tried)
        near = embed([" ".join(one) for one in tries]) @ target
        words = tries[int(near.argmax())]
    return " ".join(words)


def chained(starts: Sequence[str], more: Sequence[str], score: Score) -> str:
    """Put texts behind each other as long as that raises the score: a text about everything."""
    scores = score(starts)
    best, height = starts[int(scores.argmax())], float(scores.max())
    for _ in range(2):
        tries = [f"{best} {one}" for one in more]
        scores = score(tries)
        if float(scores.max()) <= height:
            break
        best, height = tries[int(scores.argmax())], float(scores.max())
    return best
