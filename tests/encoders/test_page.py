"""The Python on the page about encoders runs, and its table names what the catalogue has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docs.pages import DOCS, blocks
from imprint.encoders.catalogue import list_encoders

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

PAGE = DOCS / "encoders.md"


def test_the_python_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for code in blocks(PAGE, "python"):
        exec(compile(code, PAGE.name, "exec"), {})  # noqa: S102


def test_the_page_names_every_encoder_with_its_width_and_source() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [one.name for one in list_encoders() if f"`{one.name}`" not in text] == []
