"""What makes an estimator one of scikit-learn's, and a stand-in where it is not installed.

scikit-learn is no dependency. Where it is installed, `Face` and `Scoring` are its own classes, so
parameters, tags, `clone`, pipelines and searches work as for its own estimators.
"""

from __future__ import annotations

from inspect import signature
from typing import Any, Self

import numpy as np

from imprint.errors import InvalidOptionError, NotFittedError


class PlainFace:
    """Parameters by name, as scikit-learn's estimators have them."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: FBT001 - their signature
        """Parameters by name. `deep` is accepted because callers pass it; nothing is nested."""
        del deep
        return {name: getattr(self, name) for name in signature(type(self)).parameters}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name.

        Raises:
            InvalidOptionError: there is no such parameter.
        """
        known = signature(type(self)).parameters
        for name, value in params.items():
            if name not in known:
                raise InvalidOptionError(f"no parameter {name!r}; there are {', '.join(known)}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = signature(type(self)).parameters
        set_now = [
            f"{name}={value!r}"
            for name, value in self.get_params().items()
            if value is not defaults[name].default
        ]
        return f"{type(self).__name__}({', '.join(set_now)})"


class PlainScoring:
    """Mean accuracy, as scikit-learn's classifiers have it."""

    def score(self, X: Any, y: Any) -> float:
        """Share of rows answered rightly."""
        answered = self.predict(X)  # type: ignore[attr-defined]
        return float(np.mean(np.asarray(answered) == np.asarray(y)))


class PlainConversionWarning(UserWarning):
    """Input was reshaped on the way in."""


Face: Any = PlainFace
Scoring: Any = PlainScoring
ConversionWarning: type[Warning] = PlainConversionWarning
AskedTooEarlyError: type[NotFittedError] = NotFittedError

try:
    from sklearn import base as _theirs
    from sklearn import exceptions as _their_exceptions
except ImportError:
    pass
else:
    Face, Scoring = _theirs.BaseEstimator, _theirs.ClassifierMixin
    ConversionWarning = _their_exceptions.DataConversionWarning
    # One error that both trees know: code that catches either one works.
    AskedTooEarlyError = type(
        "NotFittedError", (NotFittedError, _their_exceptions.NotFittedError), {}
    )
