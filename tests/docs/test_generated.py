"""Pages read off the program are up to date, and nothing a user can reach is missing from them."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

import build_docs
import imprint
from docs.pages import DOCS
from imprint import errors
from imprint.cli import VERBS
from imprint.serve.problems import MEANINGS
from imprint.serve.routes import ENDPOINTS
from imprint.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator


def read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def all_errors(root: type[errors.ImprintError]) -> Iterator[type[errors.ImprintError]]:
    for child in root.__subclasses__():
        yield child
        yield from all_errors(child)


@pytest.mark.parametrize("name", build_docs.PAGES)
def test_a_generated_page_says_what_the_program_says_today(name: str) -> None:
    assert read(name) == build_docs.page(name), "run `make docs`"


def test_every_error_has_a_code_of_its_own_and_is_documented() -> None:
    ours = [e for e in all_errors(errors.ImprintError) if e.__module__ == "imprint.errors"]
    codes = [error.code for error in ours]
    assert len(set(codes)) == len(codes)
    page = read("errors.md")
    assert [error.__name__ for error in ours if f"`{error.__name__}`" not in page] == []
    assert [code for code in codes if f"`{code}`" not in page] == []


def test_every_setting_is_documented() -> None:
    page = read("settings.md")
    assert [one.name for one in fields(Settings) if f"`{one.name}`" not in page] == []


def test_every_verb_is_documented_with_an_example() -> None:
    page = read("cli.md")
    for name in VERBS:
        _, found, rest = page.partition(f"\n## imprint {name}\n")
        assert found, name
        section = rest.split("\n## imprint ")[0]
        assert "Example" in section or "Commands:" in section, f"{name} --help shows no example"


def test_every_public_name_is_documented() -> None:
    page = read("python.md")
    assert [name for name in imprint.__all__ if f"## imprint.{name}\n" not in page] == []


def test_every_http_call_and_status_is_documented() -> None:
    page = read("http.md")
    assert [e.path for e in ENDPOINTS if f"### {e.method} {e.path}\n" not in page] == []
    assert [status for status in MEANINGS if f"| {status} |" not in page] == []
