"""The access file says what it means or is refused at the start; changes take effect."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from imprint.errors import InvalidKeyError, InvalidOptionError
from imprint.serve.access import doorkeeper
from imprint.serve.access.doorkeeper import Doorkeeper
from imprint.serve.access.rules import read_rules
from imprint.serve.auth import CERTIFICATE

if TYPE_CHECKING:
    from pathlib import Path

    import imprint

HASH = "ab" * 32
CERTIFICATES = f"""
[[certificate]]
name = "camera-7"
sha256 = "{HASH}"
tenant = "acme"
scopes = ["classify"]
"""
OIDC = """
[oidc]
issuer = "https://login.example.org/"
audience = "imprint"
keys = "https://login.example.org/keys.json"
tenant_claim = "tenant"
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "access.toml"


def test_without_a_map_words_mean_themselves(place: Path) -> None:
    place.write_text(OIDC)
    rules = read_rules(place).tokens
    assert rules is not None
    assert rules.opened_by("openid teach classify") == {"teach", "classify"}
    assert rules.opened_by(["review", 7, None]) == {"review"}
    assert rules.opened_by(None) == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        "not toml at all",
        "unknown = 1",
        OIDC.replace("issuer", "isuer"),
        OIDC.replace("https://login.example.org/keys.json", "http://login.example.org/keys.json"),
        OIDC.replace('tenant_claim = "tenant"', ""),
        OIDC + 'tenant = "acme"',
        OIDC + 'algorithms = ["HS256"]',
        OIDC + 'algorithms = ["none"]',
        OIDC + "algorithms = []",
        OIDC + '[oidc.scopes]\nword = ["everything"]',
        OIDC.replace('"imprint"', "7"),
        CERTIFICATES.replace(HASH, "ab"),
        CERTIFICATES.replace('"acme"', '"a/b"'),
        CERTIFICATES.replace('["classify"]', "[]"),
        CERTIFICATES * 2,
        CERTIFICATES.replace("[[", "[").replace("]]", "]"),
    ],
)
def test_what_cannot_be_meant_is_refused(place: Path, text: str) -> None:
    place.write_text(text)
    with pytest.raises(InvalidOptionError, match="access file"):
        read_rules(place)


def test_a_file_that_is_not_there_is_refused(place: Path) -> None:
    with pytest.raises(InvalidOptionError, match="cannot be read"):
        read_rules(place)


def test_what_the_file_no_longer_names_is_out(
    place: Path, workspace: imprint.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorkeeper, "_LOOK_AGAIN_S", 0.0)
    place.write_text(CERTIFICATES)
    keeper = Doorkeeper(workspace, place)
    caller = keeper.find(CERTIFICATE + HASH)
    assert (caller.tenant, caller.scopes) == ("acme", {"classify"})
    place.write_text(CERTIFICATES.replace(HASH, "cd" * 32))
    os.utime(place, ns=(1, 1))
    with pytest.raises(InvalidKeyError):
        keeper.find(CERTIFICATE + HASH)
    assert keeper.find(CERTIFICATE + "cd" * 32).tenant == "acme"


@pytest.mark.parametrize("text", ["broken", None])
def test_a_broken_or_missing_file_lets_nobody_in_on_its_old_word(
    place: Path,
    workspace: imprint.Workspace,
    monkeypatch: pytest.MonkeyPatch,
    text: str | None,
) -> None:
    monkeypatch.setattr(doorkeeper, "_LOOK_AGAIN_S", 0.0)
    place.write_text(CERTIFICATES)
    keeper = Doorkeeper(workspace, place)
    assert keeper.find(CERTIFICATE + HASH).tenant == "acme"
    place.unlink() if text is None else place.write_text(text)
    with pytest.raises(InvalidKeyError):
        keeper.find(CERTIFICATE + HASH)
    _, secret = workspace.create_key("plain", ("teach",))
    assert keeper.find(secret).scopes == {"teach"}
