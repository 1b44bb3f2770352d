"""What the serve verb refuses before it listens, and that it greets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


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
