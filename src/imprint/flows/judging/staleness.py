"""How old a collection is: its supports, its prototypes, and what is to expire."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from imprint.types import as_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from imprint.flows.answering.live import LiveCollection
    from imprint.flows.workspace import Workspace
    from imprint.store.erasing.lifetimes import Life

_SOON = timedelta(days=7)
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class ClassAge:
    """Ages of one class in seconds; its prototype is as old as its supports are on average."""

    label: str
    newest_s: float
    median_s: float
    oldest_s: float
    prototype_s: float


@dataclass(frozen=True, slots=True)
class Staleness:
    """Ages of a collection's active supports in seconds.

    `ratio` is the age of its stalest prototype as a share of the maximum age (None without one).
    `n_overdue` supports are past their time and not taken out yet (nothing can be written),
    `n_due_soon` expire within seven days, the first of all at `next_expiry`.
    """

    prototype_s: float
    max_age_s: float | None
    ratio: float | None
    n_overdue: int
    n_due_soon: int
    next_expiry: str | None
    classes: tuple[ClassAge, ...]

    def to_json(self) -> dict[str, Any]:
        """Shape this as a JSON object."""
        shape: dict[str, Any] = as_json(self)
        return shape

    def to_text(self) -> str:
        """One line for a terminal."""
        line = f"stalest prototype {self.prototype_s / _DAY_S:.1f} days old"
        if self.ratio is not None:
            line += f", {self.ratio:.0%} of the maximum age"
        if self.n_overdue:
            line += f"; {self.n_overdue} supports past their time"
        return line + (f"; {self.n_due_soon} expire within 7 days" if self.n_due_soon else "")


def staleness_of(live: LiveCollection, now: datetime) -> Staleness | None:
    """Measure a collection's age; None while nothing is taught."""
    lives = live.tenant.lifetimes.ages(live.row.collection_id)
    if not lives:
        return None
    max_age = live.policy.max_age
    by_label: dict[str, list[Life]] = {}
    for label, life in lives:
        by_label.setdefault(label, []).append(life)
    classes = tuple(_class_age(label, some, now) for label, some in by_label.items())
    ends = [end for _, life in lives if (end := life.ends(max_age)) is not None]
    stalest = max(one.prototype_s for one in classes)
    max_age_s = None if max_age is None else max_age.total_seconds()
    return Staleness(
        prototype_s=stalest,
        max_age_s=max_age_s,
        ratio=None if max_age_s is None else stalest / max_age_s,
        n_overdue=sum(end <= now for end in ends),
        n_due_soon=sum(now < end <= now + _SOON for end in ends),
        next_expiry=min((end.isoformat() for end in ends if end > now), default=None),
        classes=classes,
    )


def stalest_prototype_s(workspace: Workspace) -> float:
    """Age of the stalest prototype of all tenants; 0 while nothing is taught."""
    now = workspace.clock()
    stalest = 0.0
    for one in workspace.operator.tenants():
        if one.erased_at is not None:
            continue
        tenant = workspace.tenant(one.name).store_view
        for row in tenant.collections():
            by_label: dict[str, list[Life]] = {}
            for label, life in tenant.lifetimes.ages(row.collection_id):
                by_label.setdefault(label, []).append(life)
            ages = [fmean(_ages_s(some, now)) for some in by_label.values()]
            stalest = max([stalest, *ages])
    return stalest


def _class_age(label: str, lives: Sequence[Life], now: datetime) -> ClassAge:
    ages = _ages_s(lives, now)
    return ClassAge(label, min(ages), median(ages), max(ages), fmean(ages))


def _ages_s(lives: Sequence[Life], now: datetime) -> list[float]:
    # A clock that was set back makes nothing younger than new.
    return [max(0.0, (now - life.taught_at).total_seconds()) for life in lives]
