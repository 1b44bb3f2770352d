"""Choose the head by what the supports themselves say, and calibrate it.

Supports are held out of their classes and every head that could serve answers for them. The head
that is usually best for so many classes and supports serves, unless another is clearly less
surprised by the truth. There is no validation set and nothing to set; the table behind the rule is
in docs/which-head-when.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from imprint.heads.calibration import Calibration
from imprint.heads.fitted.adapted import AdaptedHead
from imprint.heads.fitted.lda import lda_head
from imprint.heads.fitted.logistic import logistic_head
from imprint.heads.fitted.ridge import ridge_head
from imprint.heads.nearest import NearestHead
from imprint.heads.prototype import PrototypeHead
from imprint.heads.simulation.contests import Contests
from imprint.heads.simulation.episodes import Split, ask, in_order, splits
from imprint.heads.simulation.fitting import Sharpness, fit_calibration, fit_sharpness
from imprint.heads.simulation.looseness import tightness
from imprint.heads.simulation.stretch import stretch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from imprint.heads.protocol import Head
    from imprint.heads.simulation.episodes import Held
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
# Beyond this many rows times classes fitted weights would take seconds.
_ADAPTED_CELLS, _LDA_ROWS = 150_000, 12_000
# With fewer classes the whitening of the adapted head has too little scatter to go by.
_ADAPTED_CLASSES: Final = 5
# The usual head stays unless another leads by so many standard errors of the difference.
_CLEARLY: Final = 1.0
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
    fits = [_fits(names, part) for part in parts]
    tight = tightness(sorted_supports, bank)
    tried = {one: _tried(one, sorted_supports, _held(one, parts, fits), tight) for one in names}
    best = _best(tried)
    head = HEADS[best]().fitted(supports)
    mine = [(part, fit[best]) for part, fit in zip(parts, fits, strict=True)]
    sharpness = tried[best].value * stretch(head, supports, mine, bank)
    contests = Contests(supports, head, HEADS[best], sharpness)
    asked = ask(sorted_supports, parts, [fit for _, fit in mine], contests, bank, rng)
    fitted = fit_calibration(contests, asked, false_accept_rate, experienced=bank is not None)
    return Chosen(contests.head, fitted)


def _candidates(supports: SupportSet, parts: list[Split]) -> tuple[str, ...]:
    """Heads that could serve, the usual one first, then the others from simple to less so.

    With one support each nothing can be held out and all heads rank alike: the simplest serves.
    """
    if not parts or supports.n_way < 2:
        return ("prototype",)
    if supports.n_rows * supports.n_way > _ADAPTED_CELLS:
        return ("prototype",) if supports.n_rows > _LDA_ROWS else ("lda", "prototype")
    if supports.n_way < _ADAPTED_CLASSES:
        return ("logistic", "prototype", "nearest", "lda")
    return ("adapted", "prototype", "nearest", "lda", "logistic")


def _fits(names: tuple[str, ...], part: Split) -> dict[str, Head]:
    """Fit the candidates to what was not held out; logistic is a part of adapted."""
    fitted = {name: HEADS[name]().fitted(part.kept) for name in names if name != "logistic"}
    if "logistic" in names:
        both = fitted.get("adapted")
        alone = both.plain if isinstance(both, AdaptedHead) else logistic_head().fitted(part.kept)
        fitted["logistic"] = alone
    return fitted


def _held(name: str, parts: list[Split], fits: list[dict[str, Head]]) -> Held:
    return [
        (fit[name].scores(part.kept, part.queries), part.classes)
        for part, fit in zip(parts, fits, strict=True)
    ]


def _tried(name: str, supports: SupportSet, held: Held, tight: float) -> Sharpness:
    if held:
        return fit_sharpness(supports, HEADS[name](), held, held[0], tight)
    taught = np.flatnonzero(supports.row_class >= 0)[:_SPREAD_ROWS]
    queries = np.stack([supports.rows.row(row) for row in taught.tolist()])
    head = HEADS[name]().fitted(supports)
    own = (head.scores(supports, queries), supports.row_class[taught])
    return fit_sharpness(supports, head, held, own, tight)


def _best(tried: dict[str, Sharpness]) -> str:
    """The usual head, which comes first, or the one with the least loss where it clearly leads."""
    usual = next(iter(tried))
    if len(tried) == 1 or not len(tried[usual].losses):
        return usual
    leader = min(tried, key=lambda name: float(tried[name].losses.sum()))
    ahead = tried[usual].losses - tried[leader].losses
    error = float(ahead.std()) / float(np.sqrt(len(ahead)))
    return leader if float(ahead.mean()) > _CLEARLY * error else usual
