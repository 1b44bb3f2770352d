"""Who is calling: credentials, remembered for a moment so that most calls need no look-up."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imprint.errors import InvalidKeyError, MissingScopeError

if TYPE_CHECKING:
    from collections.abc import Callable

SCOPES = ("teach", "classify", "read_raw", "review", "admin")
# What a key may do when nothing is said: the main job, and nothing that shows samples or removes.
DEFAULT_SCOPES = ("teach", "classify")

# Revocation, by whatever process, is seen within this time (promised: one second).
_FRESH_S = 0.5
_MOST_REMEMBERED = 4096
# Says that what follows is a certificate's hash. No header can hold it: it has a space.
CERTIFICATE = "certificate "
# As RFC 6750 writes a token; longer ones than identity providers make are not looked at.
_SECRET = re.compile(r"[A-Za-z0-9._~+/=-]{8,8192}")


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a valid credential. `key_id` names it in log and audit.

    `per_minute` and `per_day` limit the requests of its tenant; None is no limit.
    """

    key_id: str
    tenant: str
    scopes: frozenset[str]
    per_minute: int | None = None
    per_day: int | None = None

    def need(self, scopes: tuple[str, ...]) -> None:
        """Raises MissingScopeError unless the key has one of these scopes."""
        if scopes and self.scopes.isdisjoint(scopes):
            raise MissingScopeError(
                f"this call needs a key with the scope {' or '.join(scopes)}; "
                "make one with `imprint keys create`"
            )


class KeyRing:
    """Credentials seen lately, by their hash; unknown ones are remembered as well.

    `find` looks a credential up: a key, a token, or `CERTIFICATE` and a certificate's SHA-256.
    """

    def __init__(
        self, find: Callable[[str], Caller], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._find = find
        self._clock = clock
        self._seen: dict[bytes, tuple[float, Caller | None]] = {}

    def remembered(self, credential: str) -> Caller | None:
        """The caller if the credential was looked up a moment ago; None when it must be now.

        Raises:
            InvalidKeyError: it was a moment ago found invalid.
        """
        found = self._seen.get(_digest(credential))
        if found is None or self._clock() - found[0] > _FRESH_S:
            return None
        if found[1] is None:
            raise _invalid()
        return found[1]

    def look_up(self, credential: str) -> Caller:
        """Find the caller. Raises InvalidKeyError."""
        looked_at = self._clock()
        try:
            caller = self._find(credential)
        except InvalidKeyError:
            self._remember(credential, looked_at, None)
            raise _invalid() from None
        self._remember(credential, looked_at, caller)
        return caller

    def _remember(self, credential: str, looked_at: float, caller: Caller | None) -> None:
        if len(self._seen) >= _MOST_REMEMBERED:
            # A flood of invented keys must not fill memory; valid ones come back with one look-up.
            self._seen = {}
        self._seen[_digest(credential)] = (looked_at, caller)


def credential_of(authorization: str | None, certificate: str | None = None) -> str:
    """The secret of an Authorization header; without a header, the connection's certificate.

    `certificate` is the SHA-256 of a client certificate that the TLS layer has verified.

    Raises:
        InvalidKeyError: there is neither, or the header holds no bearer credential.
    """
    if authorization is None and certificate is not None:
        return CERTIFICATE + certificate
    scheme, _, secret = (authorization or "").partition(" ")
    secret = secret.strip()
    if scheme.lower() != "bearer" or not _SECRET.fullmatch(secret):
        raise _invalid()
    return secret


def _invalid() -> InvalidKeyError:
    return InvalidKeyError(
        "send `Authorization: Bearer <key>` with a key that is valid; make one with "
        "`imprint keys create`"
    )


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
