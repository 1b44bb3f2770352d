"""Labelled arrays in an .npz file: images or texts to teach, or vectors to judge."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from imprint.errors import InvalidTableError
from imprint.flows.tables.rows import BadRow, Table, TableRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from imprint.types import Modality


def open_arrays(path: Path) -> Table:
    """Open arrays x and y. Float x of two dimensions are vectors; nothing is unpickled."""
    x, y = _arrays(path)
    labels = [str(label) for label in y.tolist()]
    if x.dtype.kind == "f" and x.ndim == 2:
        return Table(None, len(x), lambda: iter(()), vectors=(x, y))
    if x.dtype.kind == "U" and x.ndim == 1:
        sources: list[Any] = [str(text) for text in x.tolist()]
        modality: Modality = "text"
    else:
        sources, modality = list(_pixels(x)), "image"

    def rows() -> Iterator[TableRow | BadRow]:
        for i, (label, source) in enumerate(zip(labels, sources, strict=True), 1):
            yield TableRow(i, f"item {i}", label, source)

    return Table(modality, len(labels), rows)


def _arrays(path: Path) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            x, y = arrays["x"], arrays["y"]
    except KeyError:
        raise InvalidTableError("the .npz file must hold an array x and an array y") from None
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidTableError(
            f"the .npz file cannot be read ({type(error).__name__}); save plain arrays, no objects"
        ) from error
    if y.ndim != 1 or x.ndim < 1 or len(x) != len(y):
        raise InvalidTableError(
            f"x and y must have one row per sample, got {x.shape} and {y.shape}"
        )
    return x, y


def _pixels(x: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    is_image = x.ndim == 3 or (x.ndim == 4 and x.shape[3] in {1, 3, 4})
    if x.dtype.kind == "b" and is_image:
        return x.astype("uint8") * 255
    if x.dtype != "uint8" or not is_image:
        raise InvalidTableError(
            "x must hold images as uint8 (n, height, width) or (n, height, width, 3), or texts; "
            f"it holds {x.dtype} of shape {x.shape}"
        )
    return x
