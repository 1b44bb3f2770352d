"""What the word SOURCE on a command line means: a file, standard input, or the text itself."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from imprint.errors import InvalidOptionError, NotFoundError, UnsupportedMediaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from imprint.types import Modality

SOURCE_HELP = (
    "SOURCE is a file when one of that name exists, '-' for standard input, '@FILE' for a file by "
    "force, and otherwise the text itself. --text takes it as text whatever it looks like."
)
# One word that ends like a file name or begins like a path: a typing error rather than a text.
_FILE_LIKE = re.compile(
    r"(\.{0,2}/|~)\S*|\S+\.(jpe?g|png|gif|webp|bmp|tiff?|txt|md|csv|jsonl?|wav|flac|mp3|ogg|npy|npz|pdf|svg)",
    re.IGNORECASE,
)


def read_source(word: str, *, as_text: bool = False) -> Path | bytes | str:
    """Resolve one SOURCE word.

    Raises:
        NotFoundError: it looks like a file and there is none.
        InvalidOptionError: it is a folder.
    """
    if as_text:
        return word
    if word == "-":
        return sys.stdin.buffer.read()
    if word.startswith("@"):
        return _existing(Path(word[1:]))
    if _names_a_file(word):
        return Path(word)
    if _FILE_LIKE.fullmatch(word) or _names_a_folder(word):
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


def _names_a_folder(word: str) -> bool:
    # A folder of one's own that is called like a one-word text is no reason to refuse the text.
    return "/" in word and not any(c.isspace() for c in word) and _exists(word, Path.is_dir)


def _names_a_file(word: str) -> bool:
    return _exists(word, Path.is_file)


def _exists(word: str, test: Callable[[Path], bool]) -> bool:
    try:
        return test(Path(word))
    except (OSError, ValueError):  # too long for a name, or holds a NUL: then it is a text
        return False


def _existing(path: Path) -> Path:
    if _exists(str(path), Path.is_dir):
        raise InvalidOptionError(
            "this is a folder; `imprint import` teaches a folder with one folder per class"
        )
    if not _names_a_file(str(path)):
        raise NotFoundError(
            "there is no file of that name; check the path, or add --text if the word itself is "
            "the text to use"
        )
    return path
