"""Keys, and what the serve verb refuses before it listens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest

from imprint.cli.serve import DEFAULT_SCOPES, SCOPES
from imprint.serve import auth

if TYPE_CHECKING:
    from pathlib import Path


def test_the_scopes_of_the_help_are_those_of_the_server() -> None:
    assert SCOPES == auth.SCOPES
    assert DEFAULT_SCOPES == auth.DEFAULT_SCOPES


def test_a_key_made_without_scopes_shows_no_samples_and_governs_nothing(told) -> None:
    assert told("keys", "create", "laptop")["scopes"] == ["teach", "classify"]


def test_a_key_is_created_listed_and_revoked(told, run) -> None:
    made = told("keys", "create", "laptop", "--scope", "classify", "--days", "30")
    assert made["scopes"] == ["classify"]
    assert made["expires_at"] > made["created_at"]
    secret = made["secret"]
    listed = run("keys", "list", "--json").stdout
    assert made["key_id"] in listed
    assert secret not in listed
    assert told("keys", "revoke", made["key_id"]) == {"revoked": made["key_id"]}
    assert "revoked" in run("keys", "list").stdout
    assert told("keys", "revoke", "nothing", code=4)["error"]["code"]


def test_only_the_secret_is_on_standard_output(run) -> None:
    result = run("keys", "create", "laptop")
    assert result.stdout.startswith("imp_")
    assert result.stdout.count("\n") == 1
    assert "only time" in result.stderr


def test_a_scope_that_does_not_exist_is_a_usage_error(run) -> None:
    assert run("keys", "create", "laptop", "--scope", "everything").exit_code == 2


def test_a_public_address_without_tls_is_refused(told) -> None:
    assert told("serve", "--host", "0.0.0.0", code=6)["error"]["code"] == "unsafe_bind"  # noqa: S104


def test_a_server_without_its_packages_says_what_to_install(told, monkeypatch) -> None:
    monkeypatch.setattr("imprint.cli.serve.find_spec", lambda name: None)
    assert "imprint[serve]" in told("serve", code=3)["error"]["message"]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_real_server_greets_answers_and_stops_in_good_order(home: Path) -> None:
    server = subprocess.Popen(
        [sys.executable, "-m", "imprint", "serve", "--port", "0", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        address = server.stderr.readline().split()[2]
        greeting = "".join(iter(server.stderr.readline, "Try it:\n"))
        assert "shown this once" in greeting
        with urllib.request.urlopen(f"{address}/livez", timeout=30) as answer:
            assert answer.status == 200
        server.send_signal(signal.SIGINT)
        out, _ = server.communicate(timeout=60)
    finally:
        server.kill()
        server.wait()
    assert server.returncode == 0
    assert json.loads(out)["stopped"]
