"""What the word SOURCE on a command line means: a file, standard input, or the text itself."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from imprint.errors import NotFoundError, UnsupportedMediaError

if TYPE_CHECKING:
    from imprint.types import Modality

SOURCE_HELP = (
    "SOURCE is a file when one of that name exists, '-' for standard input, '@FILE' for a file by "
    "force, and otherwise the text itself. --text takes it as text whatever it looks like."
)
# One word that ends like a file name, or a bare path: more likely a typing error than a text.
_FILE_LIKE = re.compile(
    r"\S+\.(jpe?g|png|gif|webp|bmp|tiff?|txt|md|csv|jsonl?|wav|flac|mp3|ogg|npy|npz|pdf|svg)",
    re.IGNORECASE,
)


def read_source(word: str, *, as_text: bool = False) -> Path | bytes | str:
    """Resolve one SOURCE word.

    Raises:
        NotFoundError: it looks like a file and there is none.
    """
    if as_text:
        return word
    if word == "-":
        return sys.stdin.buffer.read()
    if word.startswith("@"):
        return _existing(Path(word[1:]))
    if _names_a_file(word):
        return Path(word)
    if _FILE_LIKE.fullmatch(word):
        return _existing(Path(word))
    return word


def guess_modality(source: Path | bytes | str) -> Modality:
    """Tell the modality of a source from its content.

    Raises:
        UnsupportedMediaError: it is neither text nor a known kind of image or sound.
    """
    from imprint.flows.tables import modality_of

    if isinstance(source, str):
        return "text"
    found = modality_of(source)
    if found is None:
        raise UnsupportedMediaError(
            "this is neither text nor an image or sound that can be recognized by its content; "
            "say which it is with --modality"
        )
    return found


def _names_a_file(word: str) -> bool:
    try:
        return Path(word).is_file()
    except (OSError, ValueError):  # too long for a name, or holds a NUL: then it is a text
        return False


def _existing(path: Path) -> Path:
    if not _names_a_file(str(path)):
        raise NotFoundError(
            "there is no file of that name; check the path, or add --text if the word itself is "
            "the text to use"
        )
    return path
