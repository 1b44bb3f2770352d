"""Bearer tokens of an OpenID Connect provider: signature, issuer, audience, times, tenant."""

from __future__ import annotations

import hashlib
import json
import math
import threading
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imprint.errors import InvalidKeyError, InvalidNameError, InvalidOptionError, NotReadyError
from imprint.flows.policy import checked_name
from imprint.serve.auth import Caller

if TYPE_CHECKING:
    from collections.abc import Callable

    from imprint.serve.access.clock import SteadyClock
    from imprint.serve.access.rules import TokenRules

_KEPT_S = 600.0
# An unknown key id may mean that the provider has new keys; invented ones must not make us ask
# more often than this.
_PAUSE_S = 10.0
_FETCH_S = 5.0
_MOST_BYTES = 1 << 20
_LEEWAY_S = 30.0
_FAMILIES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


def looks_like_token(credential: str) -> bool:
    """Tell a signed token from a key: three parts with dots between."""
    return credential.count(".") == 2


class PublicKeys:
    """The provider's public keys, from a file or an address, kept for ten minutes."""

    def __init__(
        self,
        place: str,
        fetch: Callable[[str], bytes] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._place = place
        self._fetch = fetch or _fetched
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: list[dict[str, Any]] = []
        self._read_at = self._tried_at = float("-inf")

    def find(self, key_id: str | None, algorithm: str) -> dict[str, Any]:
        """The one key a token can have been signed with.

        Raises:
            InvalidKeyError: the provider has no such key.
            NotReadyError: its keys cannot be had.
        """
        with self._lock:
            if self._clock() - self._read_at > _KEPT_S:
                self._read()
            found = self._matching(key_id, algorithm)
            if len(found) != 1 and self._clock() - self._tried_at > _PAUSE_S:
                self._read()
                found = self._matching(key_id, algorithm)
            if not self._keys:
                raise NotReadyError("the identity provider's keys cannot be fetched; come back")
        if len(found) != 1:
            raise InvalidKeyError("the token is signed with no key of the identity provider")
        return found[0]

    def _matching(self, key_id: str | None, algorithm: str) -> list[dict[str, Any]]:
        return [
            key
            for key in self._keys
            if key_id in (None, key.get("kid"))
            and key.get("kty") == _FAMILIES[algorithm[:2]]
            and key.get("use", "sig") == "sig"
            and key.get("alg", algorithm) == algorithm
        ]

    def _read(self) -> None:
        # What was read stays when reading fails: a provider that is down stops nobody at once.
        if self._clock() - self._tried_at <= _PAUSE_S:
            return
        self._tried_at = self._clock()
        try:
            document = json.loads(self._fetch(self._place))
            keys = [key for key in document["keys"] if isinstance(key, dict)]
        except (OSError, ValueError, KeyError, TypeError):
            return
        self._keys, self._read_at = keys, self._clock()


class TokenReader:
    """Turns a token into its caller."""

    def __init__(
        self, rules: TokenRules, clock: SteadyClock, keys: PublicKeys | None = None
    ) -> None:
        try:
            import jwt
        except ImportError:
            raise InvalidOptionError(
                "tokens of an identity provider need a package that is not installed; "
                "pip install 'imprint[oidc]'"
            ) from None
        self._jwt = jwt
        self._rules = rules
        self._clock = clock
        self._keys = keys or PublicKeys(rules.keys)

    def caller(self, token: str) -> Caller:
        """The caller of a valid token.

        Raises:
            InvalidKeyError: it is not one: all reasons read the same to the caller.
            NotReadyError: the provider's keys cannot be had.
        """
        try:
            claims = self._claims(token)
            self._check_times(claims)
            tenant = checked_name(self._rules.tenant or claims[self._rules.tenant_claim])
            scopes = self._rules.opened_by(claims.get(self._rules.scope_claim))
            subject = f"{claims['iss']}\n{claims['sub']}"
        except (self._jwt.PyJWTError, KeyError, TypeError, ValueError, InvalidNameError):
            raise InvalidKeyError("the token is not valid here") from None
        # The subject may be a mail address; a hash of it names the caller in log and audit.
        return Caller(f"oidc_{hashlib.sha256(subject.encode()).hexdigest()[:12]}", tenant, scopes)

    def _claims(self, token: str) -> dict[str, Any]:
        algorithm = self._jwt.get_unverified_header(token).get("alg")
        if algorithm not in self._rules.algorithms:
            raise InvalidKeyError("the token is signed in a way that is not taken here")
        key_id = self._jwt.get_unverified_header(token).get("kid")
        key = self._jwt.PyJWK(self._keys.find(key_id, algorithm), algorithm=algorithm)
        claims: dict[str, Any] = self._jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=self._rules.audience,
            issuer=self._rules.issuer,
            options={
                "require": ["exp", "iss", "aud", "sub"],
                # Times are judged below, by a clock that is never set back.
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
        return claims

    def _check_times(self, claims: dict[str, Any]) -> None:
        now_s = self._clock.now().timestamp()
        begins = max(_number(claims.get("nbf", 0)), _number(claims.get("iat", 0)))
        if not begins - _LEEWAY_S <= now_s < _number(claims["exp"]) + _LEEWAY_S:
            raise InvalidKeyError("the token is not valid at this time")


def _number(claim: object) -> float:
    if isinstance(claim, bool) or not isinstance(claim, int | float) or not math.isfinite(claim):
        raise InvalidKeyError("the token's times are no numbers")
    return float(claim)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The keys come from where the operator said, or not at all."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _fetched(place: str) -> bytes:
    if not place.startswith(("https:", "http:")):
        return Path(place).read_bytes()
    opener = urllib.request.build_opener(_NoRedirect)
    with opener.open(place, timeout=_FETCH_S) as answer:
        content: bytes = answer.read(_MOST_BYTES)
    return content
