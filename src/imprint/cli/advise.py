"""Verbs that say how good a collection is and what to do about it: report, advise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from imprint.cli.session import EPILOG, verb
from imprint.errors import InvalidTableError, NotFoundError

if TYPE_CHECKING:
    from imprint.cli.session import Session

_SHOWN = 72


@verb("report")
@click.argument("collection")
def report_verb(session: Session, *, collection: str) -> None:
    r"""Say how good each class will be, what will be confused and what to teach next.

    \b
    Example:
      imprint report tickets
    """
    with session.workspace(create=False) as workspace:
        report = workspace.collection(collection).report()
    session.show(report.to_json(), report.to_text())


@verb(
    "advise",
    epilog="UNLABELED is a folder of files, or a text file with one text a line. "
    f"What cannot be read or is taught already is passed over. {EPILOG}",
)
@click.argument("collection")
@click.argument("unlabeled", metavar="UNLABELED")
@click.option("-n", "n", default=10, show_default=True, help="How many to suggest.")
def advise_verb(session: Session, *, collection: str, unlabeled: str, n: int) -> None:
    r"""Say which of these unlabeled items to label next, and why.

    \b
    Example:
      imprint advise tickets inbox.txt -n 5
    """
    names, sources = unlabeled_items(Path(unlabeled))
    with session.workspace(create=False) as workspace:
        advice = workspace.collection(collection).advise(sources, n)
    shaped = [{"item": names[one.position], **one.to_json()} for one in advice]
    lines = [
        f"{number}. {names[one.position][:_SHOWN]}\n   {one.because}; worth {one.worth:.1%}"
        for number, one in enumerate(advice, 1)
    ]
    session.show({"suggestions": shaped}, "\n".join(lines) or "nothing left to suggest")


def unlabeled_items(place: Path) -> tuple[list[str], list[Path | str]]:
    """Names and sources: the files of a folder by name, or the lines of a text file."""
    if place.is_dir():
        files = sorted(path for path in place.rglob("*") if path.is_file())
        return [str(path.relative_to(place)) for path in files], list(files)
    if not place.is_file():
        raise NotFoundError("there is no file or folder of that name to take unlabeled items from")
    try:
        lines = place.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise InvalidTableError(
            "the file of unlabeled items is not UTF-8 text with one text a line; put images or "
            "recordings into a folder and name the folder"
        ) from None
    texts = [line for line in lines if line.strip()]
    return texts, list(texts)
