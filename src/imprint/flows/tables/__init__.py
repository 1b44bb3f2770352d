"""Reading labelled material: a folder per class, CSV, JSON lines, or arrays in an .npz file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imprint.errors import InvalidTableError, NotFoundError
from imprint.flows.tables.delimited import Columns, open_csv, open_jsonl
from imprint.flows.tables.kinds import first_modality, modality_of
from imprint.flows.tables.rows import BadRow, Table, TableRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["BadRow", "Table", "TableRow", "modality_of", "open_table"]


def open_table(
    path: Path, *, text_column: str | None = None, label_column: str | None = None
) -> Table:
    """Open labelled material by its kind.

    `text_column` and `label_column` name the columns of a CSV or JSONL file that follows no custom.

    Raises:
        NotFoundError: there is nothing of that name.
        InvalidTableError: it is of no readable kind, or lacks the columns or arrays it needs.
    """
    if path.is_dir():
        return _open_folder(path)
    if not path.is_file():
        raise NotFoundError("there is no file or folder of that name; check the path")
    kind = path.suffix.lower()
    columns = Columns(text_column, label_column)
    if kind in {".csv", ".tsv"}:
        return open_csv(path, columns)
    if kind in {".jsonl", ".ndjson"}:
        return open_jsonl(path, columns)
    if kind == ".npz":
        from imprint.flows.tables.arrays import open_arrays

        return open_arrays(path)
    raise InvalidTableError(
        f"files ending in {kind or 'nothing'!r} cannot be read as a table; use a folder with one "
        "folder per class, .csv, .tsv, .jsonl or .npz"
    )


def _open_folder(root: Path) -> Table:
    classes = sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    files = [
        file
        for folder in classes
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not any(p.startswith(".") for p in file.relative_to(root).parts)
    ]
    if not files:
        raise InvalidTableError(
            f"the folder holds {len(classes)} folders and no files in them; put the examples of "
            "each class into a folder named like the class"
        )

    def rows() -> Iterator[TableRow | BadRow]:
        for i, file in enumerate(files, 1):
            place = file.relative_to(root)
            yield TableRow(i, place.as_posix(), place.parts[0], file)

    return Table(first_modality(files), len(files), rows)
