"""`FewShotClassifier`: a head with calibrated confidence and "unknown", as an estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from imprint.errors import InvalidOptionError, VectorError
from imprint.estimator.face import AskedTooEarlyError, Face, Scoring
from imprint.estimator.inputs import (
    check_names,
    classes_of,
    column_names,
    labels_of,
    rows_of,
    seed_of,
)
from imprint.heads import Decider
from imprint.measure.trial import Judged, judge

if TYPE_CHECKING:
    from imprint.estimator.inputs import Labels, Rows

# The rate a threshold is fitted for when nobody states one; `predict` then never answers unknown.
_USUAL_RATE = 0.05
# Matrix products of another shape round differently in the last bits. Asking in batches of one
# size gives a row the same answer whatever else is asked with it.
_BATCH = 32
# Rows that inform each other at most, where that is asked for.
_TOGETHER = 1024


class FewShotClassifier(Scoring, Face):  # type: ignore[misc] # scikit-learn brings no types
    """Classify vectors from one example per class on, and say when a query is of none.

    Rows are scaled to length one first: pass embeddings as they are. Only their direction counts.

    Args:
        head: name of a head, or "auto" to let the supports decide.
        false_accept_rate: share of queries of no class that may be answered with one (0.001 ..
            0.5); None never answers unknown.
        unknown_label: what `predict` answers below the threshold.
        background: vectors of no class (n, d), if there are some; they sharpen the threshold.
        random_state: seed or generator of the simulated episodes; None is always the same seed.

    Attributes:
        classes_: labels, sorted.
        n_features_in_: width of the vectors.
        feature_names_in_: column names, where X had them.
        decider_: the fitted head with its calibration.
    """

    def __init__(
        self,
        head: str = "auto",
        false_accept_rate: float | None = None,
        unknown_label: Any = "unknown",
        background: Any = None,
        random_state: Any = None,
    ) -> None:
        self.head = head
        self.false_accept_rate = false_accept_rate
        self.unknown_label = unknown_label
        self.background = background
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Teach all supports at once, forgetting earlier ones.

        Raises:
            VectorError: X is no table of finite numbers.
            InvalidOptionError: labels or a parameter cannot be used.
        """
        rows = rows_of(X)
        labels = labels_of(y, len(rows))
        classes = classes_of(labels)
        self._check_unknown_label(classes)
        rate = _USUAL_RATE if self.false_accept_rate is None else self.false_accept_rate
        self._seed = seed_of(self.random_state)
        self._names = {label: str(i) for i, label in enumerate(classes.tolist())}
        self.decider_ = Decider.fit(
            rows,
            [self._names[label] for label in labels.tolist()],
            head=self.head,
            false_accept_rate=rate,
            background=self._bank(rows.shape[1]),
            rng=np.random.default_rng(self._seed),
        )
        self.classes_ = classes
        self.n_features_in_ = rows.shape[1]
        self._keep_names(column_names(X))
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
        """Teach further supports, of known or new classes; the first call is a `fit`.

        Args:
            X: vectors.
            y: their labels.
            classes: labels to expect, as scikit-learn passes them; not needed. A class without a
                support is never answered.
        """
        if not hasattr(self, "decider_"):
            self.fit(X, y)
        else:
            self._add(self._asked(X), y)
        if classes is not None:
            expected = labels_of(classes, len(classes))
            self.classes_ = classes_of(np.concatenate([self.classes_, expected]))
        return self

    def predict(self, X: Any, *, transductive: bool = False) -> Labels:
        """Label of each row; `unknown_label` below the threshold when a rate was stated.

        Args:
            X: vectors.
            transductive: let the rows of this call inform each other: right more often where they
                are many, but an answer then depends on what else is asked.
        """
        judged = self._judged(X, transductive=transductive)
        best: Labels = self.classes_[judged.probabilities.argmax(axis=1)]
        if self.false_accept_rate is None:
            return best
        answers = best.astype(object)
        answers[judged.unknown] = self.unknown_label
        # Told apart by kind, not by what came out: every call gives one type of array.
        same = np.asarray([self.unknown_label]).dtype.kind == self.classes_.dtype.kind
        return np.array(answers.tolist()) if same else answers

    def predict_proba(self, X: Any, *, transductive: bool = False) -> npt.NDArray[np.float64]:
        """Calibrated probability of each class, given that the row belongs to one.

        Columns follow `classes_`, rows sum to one. `known_score` says whether it does;
        `transductive` is as for `predict`.
        """
        judged = self._judged(X, transductive=transductive)
        shares = judged.probabilities.astype(np.float64)
        total: npt.NDArray[np.float64] = shares / shares.sum(axis=1, keepdims=True)
        return total

    def known_score(self, X: Any) -> npt.NDArray[np.float64]:
        """Probability that each row belongs to some taught class."""
        return self._judged(X).known

    def _judged(self, X: Any, *, transductive: bool = False) -> Judged:
        rows = self._asked(X)
        taught = [self._names.get(label) for label in self.classes_.tolist()]
        if transductive:
            return judge(self.decider_, rows, taught, _TOGETHER, transductive=True)
        n_padded = -len(rows) % _BATCH
        padded = np.concatenate([rows, np.zeros((n_padded, rows.shape[1]), dtype=np.float32)])
        whole = judge(self.decider_, padded, taught, _BATCH)
        return Judged(
            whole.probabilities[: len(rows)],
            whole.known[: len(rows)],
            whole.recognized[: len(rows)],
            whole.unknown[: len(rows)],
        )

    def _asked(self, X: Any) -> Rows:
        """Rows of a call after the fit, of the width and names it was fitted with."""
        if not hasattr(self, "decider_"):
            raise AskedTooEarlyError(
                f"This {type(self).__name__} instance is not fitted yet; call fit first"
            )
        name = type(self).__name__
        check_names(column_names(X), getattr(self, "feature_names_in_", None), name)
        rows = rows_of(X)
        if rows.shape[1] != self.n_features_in_:
            raise VectorError(
                f"X has {rows.shape[1]} features, but {name} is expecting "
                f"{self.n_features_in_} features as input"
            )
        return rows

    def _add(self, rows: Rows, y: Any) -> None:
        labels = labels_of(y, len(rows))
        classes = classes_of(np.concatenate([self.classes_, labels]))
        self._check_unknown_label(classes)
        names, decider = dict(self._names), self.decider_
        for row, label in zip(rows, labels.tolist(), strict=True):
            decider = decider.added(row, names.setdefault(label, str(len(names))))
        if decider.is_stale():
            decider = decider.recalibrated(np.random.default_rng(self._seed))
        self._names, self.decider_, self.classes_ = names, decider, classes

    def _check_unknown_label(self, classes: Labels) -> None:
        if self.false_accept_rate is not None and self.unknown_label in classes.tolist():
            raise InvalidOptionError(
                "a class has the name of unknown_label; choose another unknown_label, or pass "
                "rows of no class as background"
            )

    def _bank(self, width: int) -> Rows | None:
        if self.background is None:
            return None
        bank = rows_of(self.background)
        if bank.shape[1] != width:
            raise VectorError(f"background has width {bank.shape[1]}, X has {width}")
        return bank

    def _keep_names(self, names: npt.NDArray[np.object_] | None) -> None:
        if names is not None:
            self.feature_names_in_ = names
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
