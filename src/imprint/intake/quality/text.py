"""Texts: enough words, in a script or two, and not the same thing over and over."""

from __future__ import annotations

import unicodedata
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Final

from imprint.intake.verdict import measured

if TYPE_CHECKING:
    from imprint.intake.quality.limits import QualityLimits
    from imprint.types import Check

# The beginning says enough; a text may have 20,000 characters.
_LOOKED_AT: Final = 4000
_SHORTEST_RUN: Final = 4
# Letters, marks, digits and symbols (emoji, too) say something; punctuation alone does not.
_SAYING: Final = "LMNS"
_FEWEST_WORDS: Final = 12
_FEWEST_LETTERS: Final = 12


def text_checks(text: str, limits: QualityLimits) -> tuple[Check, ...]:
    """Measure a normalized text."""
    part = text[:_LOOKED_AT]
    return (
        measured(
            "length",
            sum(unicodedata.category(character)[0] in _SAYING for character in part),
            limits.text_letters,
            "there is hardly a letter or digit in it; write it out in words",
            bad="quarantine",
            floor=True,
        ),
        measured(
            "repetition",
            repetition(part),
            limits.text_repetition,
            "most of it is one character repeated; remove the filler",
            bad="quarantine",
        ),
        measured(
            "boilerplate",
            boilerplate(part),
            limits.text_boilerplate,
            "it says the same words again and again; keep them once",
            bad="quarantine",
        ),
        measured(
            "scripts",
            foreign(part),
            limits.text_scripts,
            "letters of three or more alphabets are mixed; send one language at a time",
            bad="quarantine",
        ),
    )


def repetition(text: str) -> float:
    """Share of characters, white space aside, in runs of four or more alike; not of a word."""
    dense = [character for character in text if not character.isspace()]
    if len(dense) < _FEWEST_LETTERS:
        return 0.0
    in_runs = 0
    for _, run in groupby(dense):
        length = sum(1 for _ in run)
        in_runs += length if length >= _SHORTEST_RUN else 0
    return in_runs / max(len(dense), 1)


def boilerplate(text: str) -> float:
    """Share of the words that occurred before, in texts of a dozen words or more."""
    words = text.lower().split()
    if len(words) < _FEWEST_WORDS:
        return 0.0
    return 1 - len(set(words)) / len(words)


def foreign(text: str) -> float:
    """Share of the letters outside the two most frequent scripts."""
    scripts = Counter(_script(letter) for letter in text if letter.isalpha())
    n_letters = scripts.total()
    if n_letters < _FEWEST_LETTERS:
        return 0.0
    return 1 - sum(count for _, count in scripts.most_common(2)) / n_letters


def _script(letter: str) -> str:
    """First word of the character's name: LATIN, CYRILLIC, CJK ... Kana and Han go together."""
    if letter.isascii():
        return "LATIN"
    word = unicodedata.name(letter, "UNKNOWN").split(" ", 1)[0]
    return "CJK" if word in {"HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"} else word
