"""Where a support came from, readable from its id alone: made by a network, or a real sample.

What a network made may move a prototype, but nobody can check an answer against it: it is never
shown as evidence. The id says so, because derived structures see ids and no origins.
"""

from __future__ import annotations

import secrets
from typing import Final

GENERATED: Final = "generated"
_GENERATED_ID: Final = "g_"
_REAL_ID: Final = "s_"


def new_support_id(origin: str) -> str:
    """A random id; what was generated gets one of its own kind."""
    kind = _GENERATED_ID if origin == GENERATED else _REAL_ID
    return kind + secrets.token_hex(10)


def is_generated(support_id: str) -> bool:
    """Whether a network made this support."""
    return support_id.startswith(_GENERATED_ID)
