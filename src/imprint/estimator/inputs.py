"""Checks of what callers of the estimator pass in: vectors, labels, column names, seeds.

Messages keep the wording scikit-learn's users and checks know, and add what to do.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from imprint.errors import InvalidOptionError, VectorError
from imprint.estimator.face import ConversionWarning

Rows = npt.NDArray[np.float32]
Labels = npt.NDArray[Any]


def rows_of(X: Any) -> Rows:
    """Rows of length one from anything that makes a numeric table.

    A row of zeros has no direction. It is kept as it is, similar to nothing: count vectors of
    texts without a known word are such rows, and one of them should not stop a whole batch.

    Raises:
        VectorError: sparse, complex, not two-dimensional, empty, or not finite.
        TypeError: a value that is no number.
    """
    if hasattr(X, "toarray"):
        raise VectorError(
            "X is sparse; make it dense with X.toarray(), or reduce it first "
            "(TruncatedSVD), because few-shot heads work on dense embeddings"
        )
    table = np.asarray(X)
    if np.iscomplexobj(table):
        raise VectorError("Complex data not supported: vectors must be real numbers")
    table = _numbers(table)
    _check_shape(table)
    finite = np.isfinite(table).all(axis=1)
    if not finite.all():
        raise VectorError(
            f"Input X contains NaN or infinity, first in row {int(finite.argmin())}; remove or "
            "impute it"
        )
    # Scaled by the largest value first, so that squares neither overflow nor vanish.
    largest = np.abs(table).max(axis=1, keepdims=True)
    scaled = table / np.where(largest > 0, largest, 1)
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    return (scaled / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def labels_of(y: Any, n_rows: int) -> Labels:
    """One label per row, of one kind that can be sorted: numbers, text or bytes.

    Raises:
        InvalidOptionError: missing, of another length, continuous, or of mixed kinds.
    """
    if y is None:
        raise InvalidOptionError(
            "FewShotClassifier requires y to be passed, but the target y is None"
        )
    labels = np.asarray(y)
    if labels.ndim == 2 and labels.shape[1] == 1:
        warnings.warn(
            "A column-vector y was passed when a 1d array was expected. Please change the shape "
            "of y to (n_samples, ), for example using ravel().",
            ConversionWarning,
            stacklevel=3,
        )
        labels = labels.ravel()
    if labels.ndim != 1:
        raise InvalidOptionError(f"y should be a 1d array, got an array of shape {labels.shape}")
    if len(labels) != n_rows:
        raise InvalidOptionError(
            f"Found input variables with inconsistent numbers of samples: [{n_rows}, {len(labels)}]"
        )
    _check_kind(labels)
    return labels


def classes_of(labels: Labels) -> Labels:
    """Sorted distinct labels.

    Raises:
        InvalidOptionError: labels of kinds that have no common order.
    """
    try:
        return np.unique(labels)
    except TypeError:
        kinds = sorted({type(label).__name__ for label in labels.tolist()})
        raise InvalidOptionError(
            f"Unknown label type: y mixes {' and '.join(kinds)}; use one kind of label"
        ) from None


def column_names(X: Any) -> npt.NDArray[np.object_] | None:
    """Column names of a table that has them, all text; None otherwise."""
    names = getattr(X, "columns", None)
    if names is None or not all(isinstance(name, str) for name in names):
        return None
    return np.array(list(names), dtype=object)


def check_names(asked: Any, fitted: Any, estimator: str) -> None:
    """Compare column names of a call with those of the fit.

    Raises:
        VectorError: both have names and they differ.
    """
    if asked is None and fitted is None:
        return
    if asked is None or fitted is None:
        state = "X does not have valid" if asked is None else "X has"
        mine = "was fitted with" if asked is None else "was fitted without"
        warnings.warn(
            f"{state} feature names, but {estimator} {mine} feature names",
            UserWarning,
            stacklevel=4,
        )
        return
    if list(asked) == list(fitted):
        return
    unseen, missing = sorted(set(asked) - set(fitted)), sorted(set(fitted) - set(asked))
    words = "The feature names should match those that were passed during fit.\n"
    words += _listed("Feature names unseen at fit time:", unseen)
    words += _listed("Feature names seen at fit time, yet now missing:", missing)
    if not unseen and not missing:
        words += "Feature names must be in the same order as they were in fit.\n"
    raise VectorError(words)


def seed_of(random_state: Any) -> int:
    """A seed from None (always the same), a whole number, or a generator of either kind.

    Raises:
        InvalidOptionError: it is none of these.
    """
    if random_state is None:
        return 0
    if isinstance(random_state, int | np.integer) and random_state >= 0:
        return int(random_state)
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31))
    raise InvalidOptionError("random_state must be None, a number from 0 on, or a generator")


def _numbers(table: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    try:
        return table.astype(np.float64)
    except ValueError:
        raise VectorError("X holds text that is no number; embed samples first") from None


def _check_shape(table: npt.NDArray[np.float64]) -> None:
    if table.ndim != 2:
        raise VectorError(
            f"Expected 2D array, got {table.ndim}D array instead. Reshape your data: "
            "X.reshape(1, -1) if it is a single vector"
        )
    for n, name in zip(table.shape, ("sample", "feature"), strict=True):
        if n == 0:
            raise VectorError(
                f"Found array with 0 {name}(s) (shape={table.shape}) while a minimum of 1 is "
                "required."
            )


def _check_kind(labels: Labels) -> None:
    kind = labels.dtype.kind
    if kind == "c":
        raise InvalidOptionError("Complex data not supported: labels must be names or numbers")
    if kind == "f":
        if not np.isfinite(labels).all():
            raise InvalidOptionError("Input y contains NaN or infinity; name every row's class")
        if (labels != np.floor(labels)).any():
            raise InvalidOptionError("Unknown label type: continuous. Labels are names or numbers")
    if kind == "O":
        missing = [i for i, label in enumerate(labels.tolist()) if label is None or label != label]  # noqa: PLR0124
        if missing:
            raise InvalidOptionError(f"Input y contains NaN or None, first in row {missing[0]}")


def _listed(title: str, names: list[str]) -> str:
    most = 5
    lines = [f"- {name}" for name in names[:most]] + (["- ..."] if len(names) > most else [])
    return "\n".join([title, *lines, ""]) if names else ""
