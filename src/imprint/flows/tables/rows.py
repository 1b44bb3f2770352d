"""What reading labelled material gives: rows, and for each that cannot be read, why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from imprint.types import Modality


class TableRow(NamedTuple):
    """One labelled source. `row` counts from 1; `place` says where to look for it."""

    row: int
    place: str
    label: str
    source: Path | str | npt.NDArray[np.uint8]


class BadRow(NamedTuple):
    """A row that cannot be read: where it is and what to do about it."""

    row: int
    place: str
    message: str


@dataclass(frozen=True, slots=True)
class Table:
    """Labelled material that was found readable; `rows` may be walked again and again.

    `modality` is guessed from the content of the first sources, None when that tells nothing.
    `n_rows` is an upper bound (blank lines count), good enough for a progress bar. `vectors` holds
    x and y instead of rows when an .npz file carries vectors, which can be judged but not taught.
    """

    modality: Modality | None
    n_rows: int
    rows: Callable[[], Iterator[TableRow | BadRow]] = field(repr=False)
    vectors: tuple[npt.NDArray[Any], npt.NDArray[Any]] | None = field(default=None, repr=False)
