"""What is held already makes the next ones doubtful."""

from __future__ import annotations

import pytest

from imprint.intake.screen.backlog import Backlog, backlog_check


@pytest.mark.parametrize(
    ("n_of_class", "n_own", "verdict"),
    [(0, 1, "pass"), (4, 1, "pass"), (5, 1, "quarantine"), (9, 9, "pass"), (10, 9, "quarantine")],
)
def test_a_class_with_more_held_than_answering_takes_no_more(n_of_class, n_own, verdict) -> None:
    assert backlog_check(Backlog(n_of_class, n_of_class), n_own).verdict == verdict


@pytest.mark.parametrize(
    ("n_held", "n_active", "pressing"),
    [(8, 4, False), (9, 4, True), (40, 90, False), (46, 90, True)],
)
def test_half_as_many_held_as_answering_is_pressing(n_held, n_active, pressing) -> None:
    assert Backlog(n_held).is_pressing(n_active) == pressing
