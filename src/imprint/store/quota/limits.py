"""Which limits there are, and how a text of them is read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, Protocol

from imprint.errors import InvalidOptionError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

HOLDINGS = ("supports", "classes", "bytes")
RATES = ("requests_per_minute", "requests_per_day")
QUOTAS = (*HOLDINGS, *RATES)
_MOST = 2**53
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


class Usage(NamedTuple):
    """What a tenant holds now.

    `supports` are live ones of every state, `classes` those with a live support, `bytes` the raw
    samples in store, those of forgotten supports included until they are erased.
    """

    supports: int
    classes: int
    bytes: int


class Quotas(Protocol):
    """Limits of the tenants of a workspace, by name; `defaults` are of those without their own."""

    defaults: Mapping[str, int]

    def limits(self, tenant: str) -> dict[str, int]:
        """Every limit that holds for a tenant."""
        ...

    def usage(self, tenant: str) -> Usage:
        """What a tenant holds."""
        ...

    def change(
        self, tenant: str, changes: Mapping[str, int | None], *, now: datetime, actor: str
    ) -> None:
        """Set limits of a tenant; None takes one away. Raises InvalidOptionError."""
        ...


def checked_limit(name: str, most: int) -> int:
    """Return a limit that can be kept.

    Raises:
        InvalidOptionError: there is no such limit, or it is out of range.
    """
    if name not in QUOTAS:
        raise InvalidOptionError(f"there is no limit of that name; known are {', '.join(QUOTAS)}")
    if not 0 <= most <= _MOST:
        raise InvalidOptionError(f"the limit on {name} must be within 0 .. {_MOST}, got {most}")
    return most


def read_limits(text: str) -> Mapping[str, int]:
    """Read limits such as `supports=100k bytes=2G requests_per_minute=600`.

    Raises:
        InvalidOptionError: a part is none.
    """
    found: dict[str, int] = {}
    for part in text.replace(",", " ").split():
        name, _, amount = part.partition("=")
        number = re.fullmatch(r"(\d{1,16})([kmgt]?)", amount.lower())
        if number is None:
            raise InvalidOptionError(
                "limits are written as supports=100k bytes=2G requests_per_minute=600"
            )
        found[name] = checked_limit(name, int(number[1]) * _UNITS[number[2]])
    return found
