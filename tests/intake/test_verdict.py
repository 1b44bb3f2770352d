"""Verdicts: no check can make them better."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imprint import errors
from imprint.intake.verdict import MODES, verdict_of
from imprint.types import Check

RANK = {"active": 0, "quarantined": 1, "rejected": 2}
WORSE = {"pass": "warn", "warn": "quarantine", "quarantine": "reject", "reject": "reject"}
CHECKS = st.lists(
    st.builds(
        Check, st.text("abc", min_size=1), st.sampled_from(list(WORSE)), st.floats(0, 1),
        st.floats(0, 1), st.just("do this"),
    ),
    max_size=6,
)  # fmt: skip


@given(checks=CHECKS, at=st.integers(0, 5), mode=st.sampled_from(MODES))
def test_a_worse_or_further_check_never_gives_a_better_verdict(checks, at, mode):
    before = RANK[verdict_of(checks, mode).state]
    worse = [c._replace(verdict=WORSE[c.verdict]) if i == at else c for i, c in enumerate(checks)]
    assert RANK[verdict_of(worse, mode).state] >= before
    assert RANK[verdict_of([*checks, *worse], mode).state] >= before


@given(checks=CHECKS)
def test_a_stricter_mode_never_gives_a_better_verdict(checks):
    ranks = [RANK[verdict_of(checks, mode).state] for mode in ("off", "quarantine", "strict")]
    assert ranks == sorted(ranks)


@given(checks=CHECKS, mode=st.sampled_from(MODES))
def test_every_check_is_listed_and_a_rejection_carries_them(checks, mode):
    verdict = verdict_of(checks, mode)
    assert list(verdict.checks) == checks
    if verdict.state == "rejected":
        with pytest.raises(errors.InvalidInputError) as refused:
            _ = verdict.support_state
        assert list(refused.value.checks) == checks
