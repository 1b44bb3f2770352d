"""CSV and JSON lines, read so that one broken row never costs its neighbors.

A quote that is never closed costs its own line and not the rest of the file; bytes that are not
UTF-8 cost the row that holds them.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from imprint.errors import InvalidTableError
from imprint.flows.tables.kinds import first_modality
from imprint.flows.tables.rows import BadRow, Table, TableRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from imprint.types import Modality

TEXT_COLUMNS = ("text", "utterance", "sentence", "query", "message")
PATH_COLUMNS = ("path", "file", "filename", "image")
LABEL_COLUMNS = ("label", "category", "intent", "class")
RECORD_LINES = 200  # a quoted field over more lines than this is a quote nobody closed


class Columns(NamedTuple):
    """Column names the caller insists on; None lets custom decide."""

    text: str | None
    label: str | None

    def find(self, names: Sequence[str]) -> tuple[str, str, bool] | None:
        """Give (source column, label column, source is a path), or None when one is missing."""
        label = self._one(self.label, LABEL_COLUMNS, names)
        text = self._one(self.text, TEXT_COLUMNS, names)
        path = None if text else self._one(None, PATH_COLUMNS, names)
        source = text or path
        if label is None or source is None:
            return None
        return source, label, source in PATH_COLUMNS

    @staticmethod
    def _one(asked: str | None, customary: Sequence[str], names: Sequence[str]) -> str | None:
        wanted = customary if asked is None else (asked.strip().lower(),)
        return next((name for name in wanted if name in names), None)

    def missing(self, names: Sequence[str]) -> InvalidTableError:
        """Say which columns are needed and which were found."""
        seen = ", ".join(name[:40] for name in names[:8]) or "nothing"
        return InvalidTableError(
            f"needs a column of samples ({self.text or 'text or path'}) and one of labels "
            f"({self.label or 'label, category, intent or class'}); found {len(names)}: {seen}. "
            "Add a header line, or name the columns with --text-column and --label-column"
        )


def open_csv(path: Path, columns: Columns) -> Table:
    """Open a delimited file; the delimiter is the one that makes the header readable."""
    lines = list(io.StringIO(_decoded(path), newline=""))
    delimiter, header, first = _header(lines, columns)
    found = columns.find(header)
    if found is None:
        raise columns.missing(header)
    source, label, is_path = found
    at_source, at_label = header.index(source), header.index(label)

    def rows() -> Iterator[TableRow | BadRow]:
        records = (r for r in _records(lines, delimiter, first) if r.fields != [])
        for i, record in enumerate(records, 1):
            place = f"line {record.line}"
            problem = record.problem or _misfit(record.fields, len(header))
            if problem:
                yield BadRow(i, place, problem)
                continue
            value, name = record.fields[at_source], record.fields[at_label]
            yield _placed(i, place, name, path.parent / value if is_path else value)

    return Table(_guess(rows, is_path=is_path), max(0, len(lines) - first), rows)


class _Record(NamedTuple):
    line: int
    fields: list[str]
    problem: str = ""


def _header(lines: Sequence[str], columns: Columns) -> tuple[str, list[str], int]:
    """Give (delimiter, column names, number of lines the header takes)."""
    best: list[str] = []
    for delimiter in (",", ";", "\t", "|"):
        reader = csv.reader(iter(lines[:RECORD_LINES]), delimiter=delimiter)
        try:
            names = [name.strip().lower() for name in next(reader, [])]
        except csv.Error:
            continue
        if columns.find(names) is not None:
            return delimiter, names, reader.line_num
        best = max(best, names, key=len)
    raise columns.missing(best)


def _records(lines: Sequence[str], delimiter: str, first: int) -> Iterator[_Record]:
    at = first
    while at < len(lines):
        window = lines[at : at + RECORD_LINES]
        reader = csv.reader(iter(window), delimiter=delimiter, strict=True)
        try:
            fields = next(reader)
        except csv.Error as error:
            yield _Record(at + 1, [""], _csv_problem(error))
            at += 1
            continue
        yield _Record(at + 1, fields)
        at += reader.line_num


def _csv_problem(error: csv.Error) -> str:
    if "field larger" in str(error):
        return f"a field is longer than {csv.field_size_limit():,} characters; shorten it"
    return "a quote is not closed or stands inside a quoted field; write it twice there"


def _misfit(fields: Sequence[str], n_columns: int) -> str:
    if len(fields) < n_columns:
        return f"has {len(fields)} fields, the header names {n_columns}; add what is missing"
    if any(field.strip() for field in fields[n_columns:]):
        return (
            f"has {len(fields)} fields, the header names {n_columns}; put fields that hold the "
            "delimiter into quotes"
        )
    return ""


def open_jsonl(path: Path, columns: Columns) -> Table:
    """Open a file of one JSON object per line."""
    lines = _decoded(path).split("\n")

    def rows() -> Iterator[TableRow | BadRow]:
        kept = ((n, line) for n, line in enumerate(lines, 1) if line.strip())
        for i, (n, line) in enumerate(kept, 1):
            yield _of_object(i, f"line {n}", line, columns, path.parent)

    first = next((row for row in rows() if isinstance(row, TableRow)), None)
    if first is None:
        raise InvalidTableError(
            "no line holds a JSON object with text (or path) and label; write one object per line"
        )
    is_path = isinstance(first.source, Path)
    return Table(_guess(rows, is_path=is_path), len(lines), rows)


def _of_object(row: int, place: str, line: str, columns: Columns, root: Path) -> TableRow | BadRow:
    try:
        shape = json.loads(line)
    except ValueError:
        return BadRow(row, place, "is not JSON; write one object per line")
    if not isinstance(shape, dict):
        return BadRow(row, place, "is not a JSON object; write {…} with text (or path) and label")
    fields = {str(name).strip().lower(): value for name, value in shape.items()}
    found = columns.find(list(fields))
    if found is None:
        return BadRow(row, place, str(columns.missing(list(fields))))
    value, label = fields[found[0]], fields[found[1]]
    if not isinstance(value, str) or not isinstance(label, str | int) or isinstance(label, bool):
        return BadRow(row, place, "text (or path) and label must be JSON strings")
    return _placed(row, place, str(label), root / value if found[2] else value)


def _placed(row: int, place: str, label: str, source: Path | str) -> TableRow | BadRow:
    if _broken(label) or (isinstance(source, str) and _broken(source)):
        return BadRow(row, place, "holds bytes that are not UTF-8; save the file as UTF-8")
    if isinstance(source, Path) and not source.is_file():
        return BadRow(row, place, "names a file that is not there; paths are relative to the table")
    return TableRow(row, place, label, source)


def _broken(text: str) -> bool:
    # Bytes that are not UTF-8 were decoded to lone surrogates, which do not encode again.
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _decoded(path: Path) -> str:
    content = path.read_bytes()
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return content.decode("utf-16", errors="replace")
    return content.decode("utf-8-sig", errors="surrogateescape")


def _guess(rows: Callable[[], Iterator[TableRow | BadRow]], *, is_path: bool) -> Modality | None:
    if not is_path:
        return "text"
    files = (r.source for r in rows() if isinstance(r, TableRow) and isinstance(r.source, Path))
    return first_modality(files)
