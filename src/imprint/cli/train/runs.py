"""Looking at training runs: `imprint train list`, `show`, `compare`. No torch is needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from imprint.cli.browse import columns
from imprint.cli.session import verb

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from imprint.cli.session import Session
    from imprint.train.tracking.comparing import Comparison
    from imprint.train.tracking.reading import Run

HEADER = ["run", "status", "method", "epochs", "seconds", "validation", "test"]


def _places(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that show and compare share."""
    for one in (
        click.option("--html", metavar="FILE", help="Write the curves as a page, too."),
        click.option("--runs", metavar="DIR", help="Folder of the records (or IMPRINT_RUNS)."),
    ):
        command = one(command)
    return command


@verb("list")
@click.option("--runs", metavar="DIR", help="Folder of the records (or IMPRINT_RUNS).")
def list_runs_verb(session: Session, *, runs: str | None) -> None:
    r"""List training runs, newest first: running, ended, killed and damaged ones.

    \b
    Example:
      imprint train list
    """
    from imprint.train.tracking import list_runs

    found = list_runs(_folder(session, runs))
    rows = [_row(run) for run in found]
    text = columns(rows, HEADER) if rows else "no runs yet; `imprint train METHOD` keeps them"
    session.show({"runs": [run.to_json() for run in found]}, text)


@verb("show")
@click.argument("run")
@_places
def show_run_verb(session: Session, *, run: str, runs: str | None, html: str | None) -> None:
    r"""Show one run: its curves, its settings, and the command that gives it again.

    RUN is a name, its beginning, or latest.

    \b
    Example:
      imprint train show latest
    """
    from imprint.train.tracking import find_run
    from imprint.train.tracking.comparing import compare, shown_of

    found = find_run(_folder(session, runs), run)
    _write(session, html, compare([found]), "Training run")
    session.show(found.to_json(), shown_of(found))


@verb("compare")
@click.argument("names", nargs=-1, required=True, metavar="RUN RUN...")
@_places
def compare_runs_verb(
    session: Session, *, names: tuple[str, ...], runs: str | None, html: str | None
) -> None:
    r"""Compare runs: what was set differently, what came out, the curves over each other.

    \b
    Example:
      imprint train compare 20260102-1200 latest --html runs.html
    """
    from imprint.train.tracking import find_run
    from imprint.train.tracking.comparing import compare, text_of

    folder = _folder(session, runs)
    comparison = compare([find_run(folder, name) for name in names])
    _write(session, html, comparison, "Training runs")
    session.show(comparison.to_json(), text_of(comparison))


def _folder(session: Session, named: str | None) -> Path:
    return Path(named) if named else session.settings().runs


def _write(session: Session, file: str | None, comparison: Comparison, title: str) -> None:
    if file is None:
        return
    from imprint.train.tracking.comparing import html_of

    Path(file).write_text(html_of(comparison, title), encoding="utf-8")
    session.note(f"written: {file}")


def _row(run: Run) -> list[str]:
    seconds = "" if run.seconds is None else f"{run.seconds:,.0f}"
    checked, asked = run.last.get("validation_accuracy"), run.final.get("test_accuracy")
    return [
        run.run_id,
        run.status,
        run.method or "; ".join(run.damage),
        str(run.n_epochs),
        seconds,
        "" if checked is None else f"{checked:.2%}",
        "" if asked is None else f"{asked:.2%}",
    ]


COMMANDS = (list_runs_verb, show_run_verb, compare_runs_verb)
