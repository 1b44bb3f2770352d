"""The access file: which tokens of which identity provider, and which certificates, open what.

[oidc]
issuer = "https://login.example.org/"
audience = "imprint"
keys = "https://login.example.org/jwks.json"   # or a file; a relative one lies beside this one
tenant_claim = "tenant"                        # or, for one tenant only: tenant = "acme"
scope_claim = "scope"
algorithms = ["RS256", "ES256"]

[oidc.scopes]                                  # without this table, words mean themselves
"imprint.write" = ["teach", "classify"]

[[certificate]]
name = "camera-7"
sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
tenant = "acme"
scopes = ["classify"]
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from imprint.errors import InvalidNameError, InvalidOptionError
from imprint.flows.policy import checked_name
from imprint.serve.auth import SCOPES, Caller

if TYPE_CHECKING:
    from collections.abc import Mapping

# Public-key signatures only: with a shared secret, whoever can check a token can make one.
ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class TokenRules:
    """Which bearer tokens are taken, and what they open.

    `scopes` maps a word of the scope claim to scopes of ours; empty, words mean themselves.
    """

    issuer: str
    audience: str
    keys: str
    tenant: str | None
    tenant_claim: str
    scope_claim: str
    algorithms: tuple[str, ...]
    scopes: Mapping[str, tuple[str, ...]]

    def opened_by(self, claimed: object) -> frozenset[str]:
        """Scopes that a claim opens: a text of words, or a list of them."""
        words = claimed.split() if isinstance(claimed, str) else claimed
        if not isinstance(words, list):
            return frozenset()
        named = [word for word in words if isinstance(word, str)]
        if self.scopes:
            return frozenset(scope for word in named for scope in self.scopes.get(word, ()))
        return frozenset(named) & frozenset(SCOPES)


@dataclass(frozen=True, slots=True)
class AccessRules:
    """What an access file says. `certificates` are callers by SHA-256 of their certificate."""

    tokens: TokenRules | None
    certificates: Mapping[str, Caller]


NO_RULES = AccessRules(None, {})


def read_rules(path: str | Path) -> AccessRules:
    """Read an access file.

    Raises:
        InvalidOptionError: it cannot be read, or says something that cannot be meant.
    """
    place = Path(path)
    try:
        document = tomllib.loads(place.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise InvalidOptionError("the access file cannot be read") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidOptionError(f"the access file is not TOML: {error}") from None
    _known(document, {"oidc", "certificate"}, "the access file")
    found = document.get("certificate", [])
    if not isinstance(found, list):
        _refuse("certificate must be written as [[certificate]]")
    pairs = [_certificate(one) for one in found]
    if len({sha256 for sha256, _ in pairs}) != len(pairs):
        _refuse("a certificate is listed twice")
    tokens = document.get("oidc")
    return AccessRules(None if tokens is None else _tokens(tokens, place.parent), dict(pairs))


def _tokens(table: Any, folder: Path) -> TokenRules:
    known = {"issuer", "audience", "keys", "tenant", "tenant_claim", "scope_claim"}
    _known(table, {*known, "algorithms", "scopes"}, "[oidc]")
    tenant = table.get("tenant")
    if (tenant is None) == ("tenant_claim" not in table):
        _refuse("[oidc] needs tenant_claim, or tenant when all tokens are of one, and not both")
    mapped = table.get("scopes", {})
    _known(mapped, None, "[oidc.scopes]")
    return TokenRules(
        issuer=_text(table, "issuer", "[oidc]"),
        audience=_text(table, "audience", "[oidc]"),
        keys=_place_of_keys(_text(table, "keys", "[oidc]"), folder),
        tenant=None if tenant is None else _tenant(tenant),
        tenant_claim=_text({"tenant_claim": "", **table}, "tenant_claim", "[oidc]", least=0),
        scope_claim=_text({"scope_claim": "scope", **table}, "scope_claim", "[oidc]"),
        algorithms=_algorithms(table.get("algorithms", ["RS256", "ES256"])),
        scopes={word: _scopes(scopes) for word, scopes in mapped.items()},
    )


def _certificate(table: Any) -> tuple[str, Caller]:
    _known(table, {"name", "sha256", "tenant", "scopes"}, "[[certificate]]")
    sha256 = _text(table, "sha256", "[[certificate]]").replace(":", "").lower()
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        _refuse("sha256 of a certificate must be 64 hexadecimal digits")
    _text(table, "name", "[[certificate]]")
    caller = Caller(f"cert_{sha256[:12]}", _tenant(table.get("tenant")), frozenset())
    return sha256, Caller(caller.key_id, caller.tenant, frozenset(_scopes(table.get("scopes"))))


def _place_of_keys(text: str, folder: Path) -> str:
    parts = urlsplit(text)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return text
    if parts.scheme == "http":
        _refuse("keys of [oidc] must come over https; plain http is for this machine only")
    return str(folder / text)


def _algorithms(names: Any) -> tuple[str, ...]:
    if not isinstance(names, list) or not names or not all(one in ALGORITHMS for one in names):
        _refuse(f"algorithms of [oidc] must be some of {', '.join(ALGORITHMS)}")
    return tuple(names)


def _scopes(names: Any) -> tuple[str, ...]:
    if not isinstance(names, list) or not names or not all(one in SCOPES for one in names):
        _refuse(f"scopes must be a list of some of {', '.join(SCOPES)}")
    return tuple(names)


def _tenant(name: Any) -> str:
    try:
        return checked_name(name)
    except InvalidNameError as error:
        raise InvalidOptionError(f"a tenant of the access file: {error}") from None


def _text(table: Mapping[str, Any], name: str, where: str, least: int = 1) -> str:
    value = table.get(name)
    if not isinstance(value, str) or len(value) < least:
        _refuse(f"{where} needs {name} as text")
    return value


def _known(table: Any, names: set[str] | None, where: str) -> None:
    if not isinstance(table, dict):
        _refuse(f"{where} must be a table")
    unknown = set() if names is None else set(table) - names
    if names is not None and unknown:
        _refuse(f"{where} has unknown {min(unknown)!r}; known are {', '.join(sorted(names))}")


def _refuse(what: str) -> NoReturn:
    raise InvalidOptionError(f"the access file cannot be used: {what}")
