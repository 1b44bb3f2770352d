"""Choose the head by what the supports themselves say, and calibrate it.

Supports are held out of their classes, every head that could serve answers for them, and the one
least surprised by the truth is taken; a simpler one stays unless it is clearly worse. There is no
validation set and nothing to set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from imprint.heads.adapted import AdaptedHead
from imprint.heads.calibration import Calibration
from imprint.heads.episodes import Split, in_order, splits
from imprint.heads.fitting import Sharpness, fit_calibration, fit_sharpness
from imprint.heads.lda import lda_head
from imprint.heads.logistic import logistic_head
from imprint.heads.nearest import NearestHead
from imprint.heads.prototype import PrototypeHead
from imprint.heads.ridge import ridge_head

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from imprint.heads.protocol import Head
    from imprint.heads.supports import SupportSet
    from imprint.types import UnitVectors

HEADS: Final[Mapping[str, Callable[[], Head]]] = {
    "auto": PrototypeHead,  # what it starts from; the supports decide
    "nearest": NearestHead,
    "prototype": PrototypeHead,
    "lda": lda_head,
    "ridge": ridge_head,
    "logistic": logistic_head,
    "adapted": AdaptedHead,
}
# Simplest first. Ridge and logistic never won where these four were measured beside them.
CANDIDATES: Final = ("prototype", "nearest", "lda", "adapted")
# Rows times classes beyond which fitted weights would take seconds.
_ADAPTED_CELLS, _LDA_ROWS = 150_000, 12_000
# A simpler head is kept while the better one leads by less than this many standard errors.
_CLEARLY: Final = 0.5
_SPREAD_ROWS: Final = 200


class Chosen(NamedTuple):
    """A fitted head with its calibration."""

    head: Head
    calibration: Calibration


def choose(
    name: str,
    supports: SupportSet,
    bank: UnitVectors | None,
    false_accept_rate: float,
    rng: np.random.Generator,
) -> Chosen:
    """Fit the named head, or the one the supports favor, and calibrate it."""
    if not supports.n_way:
        first = Calibration(
            head=HEADS[name]().name,
            false_accept_rate=false_accept_rate,
            n_supports=supports.n_rows,
        )
        return Chosen(HEADS[name](), first)
    sorted_supports = in_order(supports)
    parts = splits(sorted_supports, rng)
    names = _candidates(sorted_supports, parts) if name == "auto" else (name,)
    tried = {one: _tried(one, sorted_supports, parts) for one in names}
    best = _best(tried)
    head = HEADS[best]()
    calibration = fit_calibration(
        sorted_supports, head, parts, bank, false_accept_rate, tried[best].value, rng
    )
    return Chosen(head.fitted(supports), calibration)


def _candidates(supports: SupportSet, parts: list[Split]) -> tuple[str, ...]:
    if not parts or supports.n_way < 2:
        return ("prototype",)
    left_out = set()
    if supports.n_rows * supports.n_way > _ADAPTED_CELLS:
        left_out.add("adapted")
    if supports.n_rows > _LDA_ROWS:
        left_out.add("lda")
    return tuple(name for name in CANDIDATES if name not in left_out)


def _tried(name: str, supports: SupportSet, parts: list[Split]) -> Sharpness:
    held = []
    for part in parts:
        head = HEADS[name]().fitted(part.kept)
        held.append((head.scores(part.kept, part.queries), part.classes))
    taught = np.flatnonzero(supports.row_class >= 0)[:_SPREAD_ROWS]
    head = HEADS[name]() if held else HEADS[name]().fitted(supports)
    if held:
        own = held[0]
    else:
        queries = np.stack([supports.rows.row(row) for row in taught.tolist()])
        own = (head.scores(supports, queries), supports.row_class[taught])
    return fit_sharpness(supports, head, held, own)


def _best(tried: dict[str, Sharpness]) -> str:
    """Name with the least loss; ties go to the simpler, which comes first."""
    names = list(tried)
    leader = min(names, key=lambda name: float(tried[name].losses.sum()))
    for name in names:
        if name == leader:
            return name
        behind = tried[name].losses - tried[leader].losses
        error = float(behind.std()) / np.sqrt(max(len(behind), 1))
        if float(behind.mean()) <= _CLEARLY * error:
            return name
    return leader
