"""The command line run in this process, on a fresh workspace, with encoders without weights."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from imprint.cli import app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The workspace folder of this test; the working directory is fresh as well."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("IMPRINT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IMPRINT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("IMPRINT_TEXT_ENCODER", "toy-text")
    monkeypatch.setenv("IMPRINT_IMAGE_ENCODER", "toy-image")
    monkeypatch.delenv("IMPRINT_DEBUG", raising=False)
    return tmp_path / "home"


@pytest.fixture
def run(home: Path) -> Run:
    """Run one verb; the result has stdout, stderr and the exit code."""

    def invoke(*words: str, given: bytes | str | None = None) -> Result:
        return CliRunner().invoke(app, words, input=given)

    return invoke


@pytest.fixture
def told(run: Run) -> Callable[..., Any]:
    """Run one verb with --json and read the one document it prints."""

    def invoke(*words: str, given: bytes | str | None = None, code: int = 0) -> Any:
        result = run(*words, "--json", given=given)
        assert result.exit_code == code, result.output
        assert result.stdout.count("\n") == 1
        return json.loads(result.stdout)

    return invoke


@pytest.fixture
def tickets(run: Run) -> str:
    """A text collection that knows two classes."""
    assert run("teach", "tickets", "refund", "please give me my money back").exit_code == 0
    assert run("teach", "tickets", "late", "where is my parcel, it is late").exit_code == 0
    return "tickets"
