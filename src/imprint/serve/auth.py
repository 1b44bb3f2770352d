"""Who is calling: bearer keys, remembered for a moment so that most calls need no look-up."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imprint.errors import InvalidKeyError, MissingScopeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from imprint.store.ports import KeyRow

SCOPES = ("teach", "classify", "read_raw", "review", "admin")
# What a key may do when nothing is said: the main job, and nothing that shows samples or removes.
DEFAULT_SCOPES = ("teach", "classify")

# Revocation, by whatever process, is seen within this time (promised: one second).
_FRESH_S = 0.5
_MOST_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a valid key."""

    key_id: str
    tenant: str
    scopes: frozenset[str]

    def need(self, scopes: tuple[str, ...]) -> None:
        """Raises MissingScopeError unless the key has one of these scopes."""
        if scopes and self.scopes.isdisjoint(scopes):
            raise MissingScopeError(
                f"this call needs a key with the scope {' or '.join(scopes)}; "
                "make one with `imprint keys create`"
            )


class KeyRing:
    """Keys seen lately, by the hash of their secret; unknown ones are remembered as well."""

    def __init__(
        self, look_up: Callable[[str], KeyRow], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._look_up = look_up
        self._clock = clock
        self._seen: dict[bytes, tuple[float, Caller | None]] = {}

    def remembered(self, authorization: str | None) -> Caller | None:
        """The caller if the key was looked up a moment ago; None when it must be looked up.

        Raises:
            InvalidKeyError: there is no key, or it was a moment ago found invalid.
        """
        found = self._seen.get(_digest(secret_of(authorization)))
        if found is None or self._clock() - found[0] > _FRESH_S:
            return None
        if found[1] is None:
            raise _invalid()
        return found[1]

    def look_up(self, authorization: str | None) -> Caller:
        """Ask the store. Raises InvalidKeyError."""
        secret = secret_of(authorization)
        looked_at = self._clock()
        try:
            row = self._look_up(secret)
        except InvalidKeyError:
            self._remember(secret, looked_at, None)
            raise _invalid() from None
        caller = Caller(row.key_id, row.tenant, frozenset(row.scopes))
        self._remember(secret, looked_at, caller)
        return caller

    def _remember(self, secret: str, looked_at: float, caller: Caller | None) -> None:
        if len(self._seen) >= _MOST_REMEMBERED:
            # A flood of invented keys must not fill memory; valid ones come back with one look-up.
            self._seen = {}
        self._seen[_digest(secret)] = (looked_at, caller)


def secret_of(authorization: str | None) -> str:
    """The secret of an Authorization header. Raises InvalidKeyError."""
    scheme, _, secret = (authorization or "").partition(" ")
    secret = secret.strip()
    if scheme.lower() != "bearer" or not secret.isascii() or not 8 <= len(secret) <= 200:
        raise _invalid()
    return secret


def _invalid() -> InvalidKeyError:
    return InvalidKeyError(
        "send `Authorization: Bearer <key>` with a key that is valid; make one with "
        "`imprint keys create`"
    )


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
