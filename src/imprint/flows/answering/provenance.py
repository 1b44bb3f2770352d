"""Where a support came from, readable from its id alone: made by a network, or a real sample.

What a network made may move a prototype, but nobody can check an answer against it: it is never
shown as evidence. The id says so, because derived structures see ids and no origins.
"""

from __future__ import annotations

import secrets
from typing import Final

GENERATED: Final = "generated"
PSEUDO: Final = "pseudo"  # a real sample whose label nobody gave
_KIND_OF: Final = {GENERATED: "g_", PSEUDO: "p_"}
_TAUGHT: Final = "s_"


def new_support_id(origin: str) -> str:
    """A random id, of another kind where a sample or its label was made by a program."""
    return _KIND_OF.get(origin, _TAUGHT) + secrets.token_hex(10)


def is_generated(support_id: str) -> bool:
    """Whether a network made this support."""
    return support_id.startswith(_KIND_OF[GENERATED])


def is_made(support_id: str) -> bool:
    """Whether a program made this support or its label."""
    return support_id.startswith(tuple(_KIND_OF.values()))
