"""Code in the README and the guides runs as printed, with the built-in text encoder."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click
import pytest

import imprint
from docs.pages import DOCS, ROOT, blocks, documents, named
from imprint.cli import app
from imprint.cli.session import Session
from imprint.errors import EncoderNotFoundError

if TYPE_CHECKING:
    from pathlib import Path

WITH_CODE = [
    path for path in (ROOT / "README.md", *sorted(DOCS.glob("*.md"))) if blocks(path, "python")
]


def run(code: str, name: str, names: dict[str, object]) -> None:
    """Execute a block of one of our own documents."""
    exec(compile(code, name, "exec"), names)  # noqa: S102


@pytest.fixture(scope="module", autouse=True)
def _built_in_text_encoder() -> None:
    try:
        with imprint.open() as workspace:
            workspace.collection("probe", modality="text")
    except EncoderNotFoundError as error:
        pytest.skip(f"the examples need the built-in text encoder: {error}")


@pytest.mark.parametrize("path", WITH_CODE, ids=named)
def test_the_python_of_a_document_runs(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for number, code in enumerate(blocks(path, "python"), 1):
        run(code, f"{named(path)}, block {number}", names)


def test_the_readme_example_answers_what_its_reader_expects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code = blocks(ROOT / "README.md", "python")[0]
    run(code, "README.md", {})
    first, evidence, last = capsys.readouterr().out.strip().splitlines()
    assert first.startswith("recognized lost card")
    assert "lost card" in evidence
    assert last == "unknown"


def test_the_readme_example_is_about_a_dozen_lines() -> None:
    code = blocks(ROOT / "README.md", "python")[0]
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 12


def command_lines() -> list[str]:
    """Every `imprint ...` line of the documents that people write by hand."""
    found = []
    for path in documents():
        if path.name != "cli.md":  # written from --help itself
            for block in blocks(path, "text"):
                found += [line for line in block.splitlines() if line.startswith("imprint ")]
    return sorted({shlex.join(shlex.split(line, comments=True)) for line in found})


@pytest.mark.parametrize("line", command_lines())
def test_a_command_line_in_a_document_is_one_the_program_takes(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a file to write is opened while a line is parsed
    words = shlex.split(line)[1:]
    command: click.Command = app
    context = click.Context(app, info_name="imprint", obj=Session(), **app.context_settings)
    while isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        assert found is not None, words[0]
        command, words = found, words[1:]
    with command.make_context(line, list(words), parent=context):
        pass
