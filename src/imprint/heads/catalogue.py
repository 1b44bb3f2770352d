"""Heads by name. "auto" lets the supports decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imprint.heads.nearest import NearestHead
from imprint.heads.prototype import PrototypeHead

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from imprint.heads.protocol import Head

HEADS: Final[Mapping[str, Callable[[], Head]]] = {
    "auto": PrototypeHead,
    "nearest": NearestHead,
    "prototype": PrototypeHead,
}
