"""What checks add up to: a support answers, is held for review, or is refused.

A verdict is never better than its worst check: adding a check, or making one worse, cannot turn a
held support into an active one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from imprint.errors import InvalidInputError
from imprint.types import Check

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imprint.types import CheckVerdict, SupportState

Mode = Literal["off", "quarantine", "strict"]
MODES: Final[tuple[Mode, ...]] = ("off", "quarantine", "strict")
_RANK: Final[dict[CheckVerdict, int]] = {"pass": 0, "warn": 1, "quarantine": 2, "reject": 3}
# From this rank on a support is held.
_HELD_FROM: Final[dict[Mode, int]] = {"off": 4, "quarantine": 2, "strict": 1}


@dataclass(frozen=True, slots=True)
class Verdict:
    """State of a support after its checks, and every check that led to it."""

    state: Literal["active", "quarantined", "rejected"]
    checks: tuple[Check, ...]

    @property
    def support_state(self) -> SupportState:
        """State to store the support in.

        Raises:
            InvalidInputError: it was rejected; the error carries all checks.
        """
        if self.state == "rejected":
            raise refusal(self.checks)
        return self.state


def verdict_of(checks: Iterable[Check], mode: Mode) -> Verdict:
    """Add checks up.

    "quarantine" holds what a check holds; "strict" holds what a check warns of, too; "off" lets
    everything in that was not rejected by a check.
    """
    listed = tuple(checks)
    worst = max((_RANK[check.verdict] for check in listed), default=0)
    if worst == _RANK["reject"]:
        return Verdict("rejected", listed)
    return Verdict("quarantined" if worst >= _HELD_FROM[mode] else "active", listed)


def refusal(checks: tuple[Check, ...]) -> InvalidInputError:
    """The error of a rejected support: the first reason in its message, all checks with it."""
    first = next(check for check in checks if check.verdict == "reject")
    return InvalidInputError(
        f"the sample was refused: {first.name} is {first.score:.3g}, the limit is "
        f"{first.limit:.3g}; {first.hint}",
        checks,
    )


def measured(
    name: str,
    score: float,
    limit: float,
    hint: str,
    *,
    bad: CheckVerdict,
    floor: bool = False,
) -> Check:
    """One check: passes up to its limit, or from it on where the limit is a floor.

    The hint is kept only where it is needed.
    """
    fails = score < limit if floor else score > limit
    return Check(name, bad if fails else "pass", float(score), float(limit), hint if fails else "")
