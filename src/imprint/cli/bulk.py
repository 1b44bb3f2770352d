"""The import verb: a whole table or folder in one go."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imprint.cli.session import EPILOG, MODALITY_NAMES, Progress, verb
from imprint.errors import InvalidTableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from imprint.cli.session import Session
    from imprint.flows.bulk import RowOutcome
    from imprint.flows.tables import Table

N_SHOWN = 5


class Tally:
    """Counts outcomes by status, keeps the first few that went wrong, writes each to a report."""

    def __init__(self, write: Callable[[str], Any] | None) -> None:
        self.counts: dict[str, int] = {}
        self.problems: list[RowOutcome] = []
        self._write = write

    def add(self, outcome: RowOutcome) -> None:
        """Take one outcome."""
        self.counts[outcome.status] = self.counts.get(outcome.status, 0) + 1
        if outcome.message and len(self.problems) < N_SHOWN:
            self.problems.append(outcome)
        if self._write is not None:
            self._write(json.dumps(outcome.to_json(), ensure_ascii=False) + "\n")


@verb(
    "import",
    epilog="TABLE is a folder with one folder per class, a CSV or TSV with columns text (or path) "
    "and label (also: category, intent, class), JSON lines with the same names, or an .npz with "
    f"images x (uint8) and labels y. {EPILOG} Rows that are refused are reported and exit 0, "
    "unless no row at all could be taken: then 3. 130 interrupted.",
)
@click.argument("collection")
@click.argument("table")
@click.option("--modality", type=click.Choice(MODALITY_NAMES), help="Modality of a new collection.")
@click.option("--encoder", metavar="NAME", help="Encoder of a new collection.")
@click.option("--text-column", metavar="NAME", help="Column of the texts.")
@click.option("--label-column", metavar="NAME", help="Column of the labels.")
@click.option("--batch", default=256, show_default=True, help="Rows embedded and stored together.")
@click.option("--report", metavar="FILE", help="Write the outcome of every row as JSON lines.")
def import_verb(  # noqa: PLR0913 - one parameter per option of the verb
    session: Session,
    *,
    collection: str,
    table: str,
    modality: Any,
    encoder: str | None,
    text_column: str | None,
    label_column: str | None,
    batch: int,
    report: str | None,
) -> int:
    r"""Teach a whole folder or table. Interrupted? Run it again: it goes on where it was.

    \b
    Example:
      imprint import intents train.csv --report outcome.jsonl
    """
    from imprint.flows.tables import open_table

    opened = open_table(Path(table), text_column=text_column, label_column=label_column)
    if opened.vectors is not None:
        raise InvalidTableError("x holds vectors; only texts and images can be taught")
    started = time.monotonic()
    with ExitStack() as stack:
        write = None
        if report is not None:
            write = stack.enter_context(Path(report).open("w", encoding="utf-8")).write
        tally = Tally(write)
        _fill(session, collection, opened, tally, (modality or opened.modality, encoder, batch))
    return _summary(session, collection, tally, time.monotonic() - started, report)


def _fill(
    session: Session,
    name: str,
    table: Table,
    tally: Tally,
    choices: tuple[Any, str | None, int],
) -> None:
    from imprint.flows.bulk import import_rows

    modality, encoder, batch = choices
    if not 1 <= batch <= 10_000:
        raise click.UsageError(f"--batch must be within 1 .. 10,000, got {batch}")
    with session.workspace() as workspace:
        is_new = name not in workspace.collections()
        if is_new and modality is None:
            raise InvalidTableError("the modality cannot be told from the files; give --modality")
        opened = workspace.collection(name, modality if is_new else None, encoder)
        try:
            with Progress(f"import {name}", table.n_rows) as progress:
                for outcome in import_rows(opened, table.rows(), batch=batch):
                    tally.add(outcome)
                    progress.advance()
        except KeyboardInterrupt:
            session.note(
                f"stopped after {sum(tally.counts.values()):,} rows; all of them are kept. "
                "Run the same command again to go on."
            )
            raise
        finally:
            if is_new and not opened.labels():
                workspace.drop(name)


def _summary(session: Session, name: str, tally: Tally, seconds: float, report: str | None) -> int:
    from imprint.flows.bulk import STATUSES

    counts: dict[str, int] = {status: tally.counts.get(status, 0) for status in STATUSES}
    n_rows = sum(counts.values())
    words = {"present": "already there", "conflict": "in conflict"}
    said = ", ".join(
        f"{n:,} {words.get(status, status)}"
        for status, n in counts.items()
        if n or status == "taught"
    )
    lines = [f"{n_rows:,} rows into {name} in {seconds:.1f} s: {said}"]
    lines += [f"  {p.place}: {p.status}, {p.message}" for p in tally.problems]
    hidden = counts["conflict"] + counts["rejected"] - len(tally.problems)
    if hidden > 0:
        lines.append(f"  and {hidden:,} more" + ("" if report else "; --report FILE lists all"))
    document = {
        "collection": name,
        "n_rows": n_rows,
        **counts,
        "seconds": round(seconds, 3),
        "problems": [p.to_json() for p in tally.problems],
        "report": report,
    }
    session.show(document, "\n".join(lines))
    return 0 if n_rows > counts["rejected"] or not n_rows else 3
