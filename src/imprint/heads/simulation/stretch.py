"""Do scores of the fitted head lie as far apart as those of held-out queries did?

Sharpness is fitted on heads that saw one support less. Where a head's scores grow or shrink with
the supports it saw, that sharpness is off by as much, and one support per class tells nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from imprint.heads.protocol import Head
    from imprint.heads.simulation.episodes import Split
    from imprint.heads.supports import SupportSet
    from imprint.types import Scores, UnitVectors

_LEAST_CLASSES, _BOUND, _SMALLEST = 4, 3.0, 1e-9
_LOOKED_AT: Final = 200


def stretch(
    head: Head,
    supports: SupportSet,
    fits: list[tuple[Split, Head]],
    bank: UnitVectors | None,
) -> float:
    """What to multiply the sharpness of a fitted head by; 1 for heads whose scores keep their size.

    Scores of LDA shrink where scatter comes in, for its own supports as for others: those are
    compared with the held-out. Ridge knows its own supports by heart, so the bank's vectors are
    asked of the head as it is and as it was.
    """
    if supports.n_way < _LEAST_CLASSES or head.name not in ("lda", "ridge"):
        return 1.0
    taught = np.flatnonzero(supports.row_class >= 0)[:_LOOKED_AT]
    rows = np.stack([supports.rows.row(row) for row in taught.tolist()])
    own = _apart(head.scores(supports, rows), supports.row_class[taught])
    if head.name == "lda":
        held = [_apart(h.scores(part.kept, part.queries), part.classes) for part, h in fits]
        return _bounded(float(np.mean(held)) / own) if held else 1.0
    if bank is None or not len(bank):
        return 1.0
    now = _apart(head.scores(supports, bank))
    then = [_apart(h.scores(part.kept, bank)) for part, h in fits]
    return _bounded((float(np.mean(then)) if then else own) / now)


def _apart(scores: Scores, own: npt.NDArray[np.intp] | None = None) -> float:
    """Usual standard deviation of a query's scores over the classes, its own left out."""
    exact = scores.astype(np.float64)
    if own is not None:
        exact[np.arange(len(own)), own] = np.nan
    swings = np.maximum(np.nanstd(exact, axis=1), _SMALLEST)
    return float(np.exp(np.log(swings).mean()))


def _bounded(ratio: float) -> float:
    return float(min(max(ratio, 1 / _BOUND), _BOUND))
