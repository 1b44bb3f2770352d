"""What every verb keeps: help with an example, one JSON document, one error line, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

import imprint.errors as tree
from imprint.cli import VERBS, app, wants_json
from imprint.cli.session import FAMILIES, Session, exit_code_of, run

if TYPE_CHECKING:
    from collections.abc import Iterator

BUILT = {
    "train", "bench",
    "demo", "serve", "teach", "classify", "verify", "forget", "labels", "supports", "import",
    "export", "report", "advise", "evaluate", "models", "doctor", "keys", "feedback", "collections",
    "validate", "quarantine", "revert",
    "audit", "encrypt", "tenant", "backup", "restore", "sweep",
}  # fmt: skip
LATER = ("reindex", "rollout")


def every_command() -> Iterator[tuple[str, click.Command]]:
    ctx = click.Context(app)
    for name in VERBS:
        command = app.get_command(ctx, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {sub}", found) for sub, found in command.commands.items())


def imprint(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "imprint", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        **options,
    )


def test_the_table_names_the_verbs_that_are_built() -> None:
    assert set(VERBS) == BUILT


@pytest.mark.parametrize("name", LATER)
def test_a_verb_that_is_not_built_is_absent(name, run) -> None:
    result = run(name)
    assert result.exit_code == 2
    assert "No such command" in result.stderr


@pytest.mark.parametrize(("name", "command"), list(every_command()))
def test_every_verb_shows_an_example_and_its_exit_codes(name, command, run) -> None:
    result = run(*name.split(), "--help")
    assert result.exit_code == 0
    assert "Example:" in result.stdout
    assert f"imprint {name}" in result.stdout
    assert "Exit codes: 0" in result.stdout
    if not isinstance(command, click.Group):
        assert "--json" in result.stdout
        assert "--home" in result.stdout


@pytest.mark.parametrize("name", sorted(VERBS))
def test_the_table_of_verbs_agrees_with_the_verbs(name) -> None:
    found = app.get_command(click.Context(app), name)
    assert found is not None
    assert found.name == name
    assert found.get_short_help_str(200) == VERBS[name][1]


def test_root_help_lists_verbs_and_codes(run) -> None:
    shown = run("--help").stdout
    assert all(name in shown for name in VERBS)
    assert "130 interrupted" in " ".join(shown.split())


def test_help_loads_neither_numpy_nor_the_rooms() -> None:
    code = (
        "import sys\nfrom imprint.cli import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'numpy', 'PIL', 'sqlalchemy', 'onnxruntime', 'imprint.flows'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_the_version_is_told(run) -> None:
    assert run("--version").stdout.startswith("imprint ")


def test_every_family_of_errors_has_its_exit_code() -> None:
    families = [
        kind for kind in tree.ImprintError.__subclasses__() if kind.__module__ == tree.__name__
    ]
    assert {family for family, _ in FAMILIES} == set(families)
    assert sorted(code for _, code in FAMILIES) == [3, 4, 5, 6, 7, 8]
    assert exit_code_of(tree.LabelConflictError("x")) == 5


@pytest.mark.parametrize(
    ("words", "wanted"),
    [(["labels", "--json"], True), (["labels"], False), (["teach", "--", "--json"], False)],
)
def test_json_is_recognized_before_the_line_is_parsed(words, wanted) -> None:
    assert wants_json(words) is wanted


def test_a_usage_error_is_one_line_and_one_document(run) -> None:
    result = run("labels", "--nonsense", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["code"] == "usage"
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


def test_a_missing_argument_points_to_the_help(run) -> None:
    result = run("teach", "pets")
    assert result.exit_code == 2
    assert "imprint teach --help" in result.stderr


def test_no_verb_at_all_shows_the_help(run) -> None:
    assert "Verbs:" in run().output


@pytest.mark.parametrize(
    ("failure", "code", "exit_code"),
    [
        (OSError(28, "No space left on device"), "storage_full", 7),
        (PermissionError(13, "Permission denied"), "denied", 6),
        (FileNotFoundError(2, "No such file or directory"), "not_found", 4),
        (OSError(5, "Input/output error"), "unexpected", 1),
        (ZeroDivisionError("secret content"), "unexpected", 1),
        (tree.WorkspaceLockedError("busy", 2.0), "workspace_locked", 7),
        (tree.ModelHashError("damaged"), "model_hash", 8),
        (tree.UnsafeBindError("public"), "unsafe_bind", 6),
    ],
)
def test_any_failure_becomes_a_line_a_document_and_a_code(
    failure, code, exit_code, capsys, monkeypatch
) -> None:
    monkeypatch.delenv("IMPRINT_DEBUG", raising=False)

    def work() -> int:
        raise failure

    assert run_verb(work) == exit_code
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["code"] == code
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert "secret content" not in err


def run_verb(work) -> int:
    return run(Session(json=True), work)


def test_debugging_shows_where_it_failed(capsys, monkeypatch) -> None:
    monkeypatch.setenv("IMPRINT_DEBUG", "1")

    def work() -> int:
        raise ZeroDivisionError

    run_verb(work)
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_exits_130(capsys) -> None:
    def work() -> int:
        raise KeyboardInterrupt

    assert run_verb(work) == 130
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["code"] == "interrupted"
    assert err == "error: interrupted\n"


def test_the_home_option_wins_over_the_environment_wherever_it_stands(run, told, tmp_path) -> None:
    assert run("--home", str(tmp_path / "a"), "teach", "t", "x", "some words here").exit_code == 0
    assert run("teach", "t", "y", "other words", "--home", str(tmp_path / "b")).exit_code == 0
    found = told("--home", str(tmp_path / "a"), "labels", "t")
    assert found == {"labels": [{"label": "x", "n_supports": 1}]}
    assert (tmp_path / "b").is_dir()


def test_a_real_process_prints_pure_json_and_its_exit_code(tmp_path) -> None:
    environment = {**os.environ, "IMPRINT_TEXT_ENCODER": "toy-text"}
    home = ("--home", str(tmp_path / "home"))
    done = imprint("teach", "t", "x", "some words", "--json", *home, env=environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["label"] == "x"
    assert done.stderr == ""
    lost = imprint("labels", "nothing", "--json", *home, env=environment)
    assert lost.returncode == 4
    assert json.loads(lost.stdout)["error"]["code"] == "collection_not_found"


@pytest.mark.skipif(os.name != "posix", reason="signals and pipes of POSIX")
def test_a_reader_that_leaves_ends_the_verb_quietly() -> None:
    command = f"{sys.executable} -m imprint models list | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""
    assert done.returncode in {0, 141}


@pytest.mark.skipif(os.name != "posix", reason="signals and pipes of POSIX")
def test_output_into_a_closed_pipe_exits_141_without_a_word() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "imprint", "--help"],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(writer)
    assert done.returncode == 128 + signal.SIGPIPE
    assert done.stderr == b""


def test_an_address_is_refused_by_what_it_is(told) -> None:
    error = told("--home", "postgresql://host/db", "labels", "t", code=3)["error"]
    assert "folder" in error["message"]
