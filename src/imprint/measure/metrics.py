"""Numbers that judge answers: accuracy, Brier score, open-set separation, tables per class.

Everything takes plain arrays and returns plain numbers, so each number can be checked against an
independent library. Rates are ratios in 0 .. 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from imprint.errors import InvalidOptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.types import Probabilities, Scores

Floats = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.integer[Any]]

# Student's t at 97.5 % for 1 .. 29 degrees of freedom; beyond, the normal value of the papers.
# fmt: off
_T_975 = (
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281,
    2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860,
    2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452,
)
# fmt: on
_NORMAL_975 = 1.96


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and the half width of its 95 % interval: the truth is likely in mean ± ci95.

    `ci95` is NaN where one value alone leaves the spread unknown.
    """

    mean: float
    ci95: float

    def to_json(self) -> dict[str, float | None]:
        """Shape as a JSON object; an interval that is not known is null."""
        return {"mean": self.mean, "ci95": None if math.isnan(self.ci95) else self.ci95}


@dataclass(frozen=True, slots=True)
class ClassRow:
    """How one class fared: of its queries (recall), of the answers naming it (precision).

    A ratio over nothing (no query, no answer) is 0.
    """

    label: str
    n_queries: int
    precision: float
    recall: float
    f1: float


def mean_interval(values: npt.ArrayLike) -> Estimate:
    """Mean over episodes or draws with its 95 % interval, as few-shot papers report it.

    1.96 standard errors from 30 values on; below that Student's t, which is wider.

    Raises:
        InvalidOptionError: there is no value.
    """
    sample = np.asarray(values, dtype=np.float64).ravel()
    n = len(sample)
    if n == 0:
        raise InvalidOptionError("an interval needs at least one episode; got 0")
    if n == 1:
        return Estimate(float(sample[0]), math.nan)
    factor = _T_975[n - 2] if n - 1 <= len(_T_975) else _NORMAL_975
    return Estimate(float(sample.mean()), float(factor * sample.std(ddof=1) / math.sqrt(n)))


def true_ranks(scores: Scores | Probabilities, truth: Integers) -> npt.NDArray[np.intp]:
    """How many classes come before the true one (0 is right); ties go to the lower class number.

    Args:
        scores: (n_query, n_way), larger is better.
        truth: (n_query,) class numbers.
    """
    own = np.take_along_axis(scores, truth[:, None], axis=1)
    columns = np.arange(scores.shape[1])
    before = (scores > own) | ((scores == own) & (columns < truth[:, None]))
    ranks: npt.NDArray[np.intp] = before.sum(axis=1)
    return ranks


def top_k_accuracy(scores: Scores | Probabilities, truth: Integers, k: int = 1) -> float:
    """Share of queries whose true class is among the k best."""
    return float((true_ranks(scores, truth) < k).mean())


def brier_terms(probabilities: Probabilities, truth: Integers) -> npt.NDArray[np.float64]:
    """Squared distance of each probability row from the truth: 0 is perfect, 2 the worst.

    The multi-class score of Brier (1950): summed over classes, not halved.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    own = np.take_along_axis(p, truth[:, None], axis=1)[:, 0]
    terms: npt.NDArray[np.float64] = np.einsum("ij,ij->i", p, p) - 2 * own + 1
    return np.maximum(terms, 0)


def auroc(known: Floats, unknown: Floats) -> float:
    """Chance that a query of a taught class scores above one of no class; ties count half.

    The area under the ROC curve by ranks (Mann-Whitney U). 0.5 is guessing.

    Raises:
        InvalidOptionError: one of the two sides is empty.
    """
    _both_sides(known, unknown)
    scores = np.concatenate([known, unknown])
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mean_ranks = np.cumsum(counts) - (counts - 1) / 2
    n_known = len(known)
    u = mean_ranks[place.ravel()[:n_known]].sum() - n_known * (n_known + 1) / 2
    return float(u / (n_known * len(unknown)))


def fpr_at_tpr(known: Floats, unknown: Floats, tpr: float = 0.95) -> float:
    """Share of queries of no class let in when the threshold lets in `tpr` of those of a class.

    Raises:
        InvalidOptionError: one of the two sides is empty.
    """
    _both_sides(known, unknown)
    # The small allowance keeps 0.95 * 20 from becoming 20 by rounding.
    n_accepted = max(1, math.ceil(tpr * len(known) - 1e-9))
    threshold = np.partition(known, len(known) - n_accepted)[len(known) - n_accepted]
    return float((unknown >= threshold).mean())


def confusion_matrix(truth: Integers, answered: Integers, n_way: int) -> npt.NDArray[np.int64]:
    """Counts (n_way, n_way): row is the true class, column the answered one."""
    cells = np.bincount(truth * n_way + answered, minlength=n_way * n_way)
    return cells.reshape(n_way, n_way).astype(np.int64)


def class_table(confusion: npt.NDArray[np.int64], labels: Sequence[str]) -> tuple[ClassRow, ...]:
    """Precision, recall and F1 of each class from the confusion matrix."""
    right = np.diag(confusion).astype(np.float64)
    asked, answered = confusion.sum(axis=1), confusion.sum(axis=0)
    recall = right / np.maximum(asked, 1)
    precision = right / np.maximum(answered, 1)
    f1 = 2 * right / np.maximum(asked + answered, 1)
    return tuple(
        ClassRow(label, int(n), float(p), float(r), float(f))
        for label, n, p, r, f in zip(labels, asked, precision, recall, f1, strict=True)
    )


def _both_sides(known: Floats, unknown: Floats) -> None:
    if not len(known) or not len(unknown):
        raise InvalidOptionError(
            f"separation needs both sides; got {len(known)} queries of taught classes and "
            f"{len(unknown)} of none"
        )
