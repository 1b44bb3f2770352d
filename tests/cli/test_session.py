"""Progress: a bar on a terminal once work takes time, and never a character in a pipe."""

from __future__ import annotations

import io
import sys

import pytest

from imprint.cli import session
from imprint.cli.session import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that goes on by a second whenever it is asked."""
    seconds = [0.0]

    def tick() -> float:
        seconds[0] += 1.0
        return seconds[0]

    monkeypatch.setattr(session.time, "monotonic", tick)
    return seconds


def shown(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress("import", 4) as progress:
        for _ in range(4):
            progress.advance()
    return stream.getvalue()


@pytest.mark.usefixtures("clock")
def test_a_terminal_sees_a_bar_that_fills_and_is_cleared(monkeypatch) -> None:
    drawn = shown(Terminal(), monkeypatch)
    assert "import  [######------------------] 1/4" in drawn
    assert "[########################] 4/4" in drawn
    assert drawn.endswith("\r\x1b[K")


@pytest.mark.usefixtures("clock")
def test_a_pipe_sees_nothing(monkeypatch) -> None:
    assert shown(io.StringIO(), monkeypatch) == ""


def test_quick_work_draws_nothing(monkeypatch) -> None:
    monkeypatch.setattr(session, "SHOW_AFTER_S", 60.0)
    assert shown(Terminal(), monkeypatch) == ""


@pytest.mark.usefixtures("clock")
def test_work_of_unknown_length_is_counted(monkeypatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress("reading") as progress:
        progress.heard("reading", 1200, 0)
    assert "reading  1,200" in stream.getvalue()
