"""Ages are those of an independent reckoning from the moments of teaching."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from statistics import mean, median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imprint
from flows.words import WordEncoder
from imprint.flows.judging.staleness import stalest_prototype_s

START = datetime(2026, 3, 14, tzinfo=UTC)
TEXTS = ["money back please", "where is it", "card was lost", "open an account", "close it now"]


@settings(max_examples=10, deadline=None)
@given(
    gaps=st.lists(st.integers(0, 9 * 86_400), min_size=1, max_size=5),
    wait=st.integers(0, 400 * 86_400),
)
def test_ages_are_told_by_class_and_the_stalest_prototype_stands_for_all(gaps, wait):
    with imprint.open() as workspace:
        moment = START
        workspace.clock = lambda: moment
        collection = workspace.collection("t", modality="text", encoder=WordEncoder())
        taught = {"odd": [], "even": []}
        for i, gap in enumerate(gaps):
            moment += timedelta(seconds=gap)
            label = "odd" if i % 2 else "even"
            collection.teach(label, TEXTS[i])
            taught[label].append(moment)
        moment += timedelta(seconds=wait)
        told = collection.report().staleness
        ages = {
            label: [(moment - at).total_seconds() for at in some]
            for label, some in taught.items()
            if some
        }
        assert {one.label for one in told.classes} == set(ages)
        for one in told.classes:
            mine = ages[one.label]
            assert (one.newest_s, one.oldest_s) == (min(mine), max(mine))
            assert one.median_s == median(mine)
            assert one.prototype_s == pytest.approx(mean(mine))
        assert told.prototype_s == pytest.approx(max(mean(some) for some in ages.values()))
        assert stalest_prototype_s(workspace) == pytest.approx(told.prototype_s)
        assert (told.ratio, told.next_expiry, told.n_due_soon) == (None, None, 0)


def test_the_ratio_and_what_is_due_soon_follow_the_maximum_age():
    with imprint.open() as workspace:
        moment = START
        workspace.clock = lambda: moment
        collection = workspace.collection(
            "t", modality="text", encoder=WordEncoder(), policy={"max_age_days": 20}
        )
        assert collection.describe()["staleness"] is None
        collection.teach("refund", "money back please")
        moment += timedelta(days=10)
        collection.teach("card", "card was lost", expires_at=moment + timedelta(days=2))
        moment += timedelta(days=1)
        told = collection.describe()["staleness"]
        assert told["ratio"] == pytest.approx(11 / 20)
        assert told["n_due_soon"] == 1
        assert told["n_overdue"] == 0
        assert told["next_expiry"] == (moment + timedelta(days=1)).isoformat()
        assert "55% of the maximum age" in collection.report().to_text()
