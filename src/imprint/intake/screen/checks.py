"""Every check of a support against its collection, in one place: vectors in, checks out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from imprint.intake.screen.backlog import Backlog, backlog_check
from imprint.intake.screen.fit import Frame, Level, held_rate
from imprint.intake.screen.reach import NOTHING, Witnesses, bank_share, centrality
from imprint.intake.verdict import measured
from imprint.types import Check

if TYPE_CHECKING:
    from imprint.heads.supports import SupportSet
    from imprint.intake.screen.yardstick import Yardstick
    from imprint.types import Similarities, UnitVector, UnitVectors

# Share of others' queries that one support may draw to its class, and of another class's supports;
# more where classes overlap by themselves.
_DRAWN, _TAKEN_OVER, _OVERLAP_SLACK = 0.10, 0.5, 1.5
_FEWEST_CLASSES: Final = 5
_CENTRAL: Final = 2.7
# How far a sample may be from its class, in robust deviations, before it is pointed out or held.
_FAR, _TOO_FAR = 5.0, 8.0
NO_BACKLOG: Final = Backlog()


@dataclass(frozen=True, slots=True)
class Footing:
    """What supports are screened against, worked out once for a state of a collection.

    It goes on serving while a tenth of the supports change; a class taught since is screened from
    the next one on.
    """

    yardstick: Yardstick
    frame: Frame
    level: Level
    witnesses: Witnesses
    n_supports: int
    n_way: int

    @classmethod
    def of(
        cls, supports: SupportSet, yardstick: Yardstick, queries: UnitVectors, n_held: int = 0
    ) -> Footing:
        """Measure a state; `n_held` supports await review. Milliseconds for 1,000 supports."""
        frame = Frame.of(supports, yardstick)
        taught = np.flatnonzero(supports.row_class >= 0)
        vectors, own = supports.rows.matrix()[taught], supports.row_class[taught]
        level = Level.of(frame, vectors, own, yardstick.card, n_held)
        witnesses = Witnesses.of(frame, vectors, own, queries)
        return cls(yardstick, frame, level, witnesses, supports.n_rows, supports.n_way)

    def is_stale(self, supports: SupportSet) -> bool:
        """Whether a tenth of the supports or classes changed since."""
        moved = abs(supports.n_rows - self.n_supports)
        grown = abs(supports.n_way - self.n_way)
        return 10 * moved > self.n_supports or 10 * grown > self.n_way


@dataclass(frozen=True, slots=True)
class Near:
    """Largest cosines of a candidate: with its own class, with another, with a negative."""

    own: float
    other: float
    negative: float

    @classmethod
    def of(cls, supports: SupportSet, similarities: Similarities, number: int | None) -> Near:
        """Read them off the similarities with every support (1, n_rows)."""
        row, classes = similarities[0], supports.row_class
        mine = classes == (-2 if number is None else number)

        def largest(chosen: npt.NDArray[np.bool_]) -> float:
            return float(row[chosen].max(initial=-1.0))

        return cls(largest(mine), largest((classes >= 0) & ~mine), largest(classes == -1))


def screening_checks(
    vector: UnitVector,
    label: str | None,
    supports: SupportSet,
    footing: Footing,
    backlog: Backlog = NO_BACKLOG,
) -> tuple[Check, ...]:
    """Check one embedded support against what is taught.

    Args:
        vector: the support's embedding.
        label: the class it is to be taught under; None for a negative.
        supports: what is taught now.
        footing: what it is screened against; of the same state, or a little older.
        backlog: what awaits review.
    """
    number = supports.labels.index(label) if label in supports.labels else None
    near = Near.of(supports, supports.rows.dot(vector[None]), number)
    repeats = _repeats(near, label, footing.yardstick.card.duplicate)
    if label is None:
        return repeats
    hub = measured(
        "attractor",
        bank_share(vector, footing.yardstick),
        footing.yardstick.hub_limit,
        "it is near to a bit of everything and would answer for other classes; use a more "
        "typical example",
        bad="quarantine",
    )
    labels = footing.frame.labels
    known = labels.index(label) if label in labels else None
    pressed = backlog.is_pressing(supports.n_rows)
    waiting = backlog_check(backlog, 0 if known is None else int(footing.frame.counts[known]))
    fit = _fit(vector, known, footing, pressed=pressed)
    return (*repeats, *fit, hub, *_reach(vector, known, footing), waiting)


def stability_check(vector: UnitVector, again: UnitVector, least: float) -> Check:
    """Compare a sample's embedding with that of the same sample, changed a little."""
    return measured(
        "stability",
        float(vector @ again),
        least,
        "its meaning to the encoder changes when it is smoothed a little, as made-up pictures do; "
        "send the original photo",
        bad="quarantine",
        floor=True,
    )


def _repeats(near: Near, label: str | None, duplicate: float) -> tuple[Check, ...]:
    same = measured(
        "near_duplicate",
        near.own,
        duplicate,
        "it says the same as a support of this class; a different example would teach more",
        bad="warn",
    )
    conflict = measured(
        "label_conflict",
        near.other,
        duplicate,
        "almost the same sample is taught under another label; keep one label, forget the other",
        bad="quarantine" if near.other >= near.own else "warn",
    )
    if label is None:
        return (conflict,)
    against = measured(
        "negative",
        near.negative,
        duplicate,
        'almost the same sample is taught as "not this one"; forget that negative first',
        bad="quarantine",
    )
    return (same, conflict, against) if near.negative > -1.0 else (same, conflict)


def _fit(
    vector: UnitVector, number: int | None, footing: Footing, *, pressed: bool
) -> tuple[Check, ...]:
    """Label and distance: both need an example of the class."""
    if number is None:
        return ()
    frame = footing.frame
    own, n_way = int(frame.counts[number]), len(frame.counts)
    near = frame.near_class(vector, number)
    outlier = _outlier(footing.witnesses.strangeness(near, number))
    if n_way < 2:
        return (outlier,)
    odds = float(frame.log_odds(vector[None], np.array([number]))[0])
    label = measured(
        "label",
        odds,
        footing.level.limit(own, n_way, held_rate(own, pressed=pressed)),
        "it looks like another class than the one named; check the label",
        bad="quarantine",
    )
    return (label, outlier)


def _outlier(score: float) -> Check:
    hint = "it is unlike the other examples of its class; check that it belongs there"
    if score > _TOO_FAR:
        return Check("outlier", "quarantine", score, _TOO_FAR, hint)
    return measured("outlier", score, _FAR, hint, bad="warn")


def _reach(vector: UnitVector, number: int | None, footing: Footing) -> tuple[Check, ...]:
    frame = footing.frame
    drawn, usual = footing.witnesses.drawn(frame, vector, number), footing.witnesses.usual
    if len(frame.counts) < _FEWEST_CLASSES:
        # Between two or three classes a border moves with every support: `label` judges that.
        drawn = NOTHING
    return (
        measured(
            "central",
            centrality(vector, frame, number),
            _CENTRAL,
            "it is near to all other classes at once; use an example of this class alone",
            bad="quarantine",
        ),
        measured(
            "draws_queries",
            drawn.share,
            max(_DRAWN, _OVERLAP_SLACK * usual.share, 1 / max(len(frame.counts), 1)),
            f"it would take over {drawn.share:.0%} of {drawn.n_witnesses} samples of other "
            "classes; use an example of this class alone",
            bad="quarantine",
        ),
        measured(
            "takes_over",
            drawn.of_class,
            max(_TAKEN_OVER, min(_OVERLAP_SLACK * usual.of_class, 1.0)),
            "most supports of another class would be answered with this one; check the label",
            bad="quarantine",
        ),
    )
