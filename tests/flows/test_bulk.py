"""Bulk teaching: an outcome per row, and a second run that goes on where the first one stopped."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest

import imprint
from flows.words import WordEncoder
from imprint.errors import WorkspaceLockedError
from imprint.flows.bulk import RowOutcome, import_rows
from imprint.flows.tables import BadRow, TableRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imprint.flows.collection import Collection


class CountingEncoder(WordEncoder):
    """Counts what it is asked to embed."""

    def __init__(self) -> None:
        super().__init__()
        self.n_embedded = 0

    def encode(self, samples):
        self.n_embedded += len(samples)
        return super().encode(samples)


@pytest.fixture
def encoder() -> CountingEncoder:
    return CountingEncoder()


@pytest.fixture
def collection(encoder) -> Iterator[Collection]:
    with imprint.open() as workspace:
        yield workspace.collection("intents", modality="text", encoder=encoder)


def rows(n: int) -> list[TableRow]:
    return [
        TableRow(i, f"line {i + 1}", f"class {i % 5}", f"text number {i}") for i in range(1, n + 1)
    ]


def statuses(outcomes) -> list[str]:
    return [outcome.status for outcome in outcomes]


def test_every_row_gets_its_outcome_in_order(collection) -> None:
    outcomes = list(import_rows(collection, rows(10), batch=3))
    assert [outcome.row for outcome in outcomes] == list(range(1, 11))
    assert set(statuses(outcomes)) == {"taught"}
    assert sum(collection.labels().values()) == 10


def test_a_second_run_finds_everything_there_and_embeds_nothing(collection, encoder) -> None:
    list(import_rows(collection, rows(10)))
    n_before = encoder.n_embedded
    assert set(statuses(import_rows(collection, rows(10)))) == {"present"}
    assert encoder.n_embedded == n_before
    assert sum(collection.labels().values()) == 10


def test_an_import_that_stops_midway_goes_on_without_duplicates(collection, encoder) -> None:
    list(islice(import_rows(collection, rows(10), batch=2), 5))
    n_taught = sum(collection.labels().values())
    assert 5 <= n_taught < 10
    outcomes = list(import_rows(collection, rows(10), batch=2))
    assert statuses(outcomes) == ["present"] * n_taught + ["taught"] * (10 - n_taught)
    assert encoder.n_embedded == 10


def test_rows_that_cannot_be_taught_are_reported_and_the_rest_goes_in(collection) -> None:
    given = [
        TableRow(1, "line 2", "a", "one text"),
        BadRow(2, "line 3", "has 1 fields"),
        TableRow(3, "line 4", "a", "   "),
        TableRow(4, "line 5", "", "two text"),
        TableRow(5, "line 6", "b", "one text"),
        TableRow(6, "line 7", "a", "one text"),
        TableRow(7, "line 8", "b", "three text"),
    ]
    outcomes = list(import_rows(collection, given))
    assert statuses(outcomes) == [
        "taught", "rejected", "rejected", "rejected", "conflict", "present", "taught",
    ]  # fmt: skip
    codes = [outcome.code for outcome in outcomes]
    assert codes[1:5] == ["invalid_row", "empty_sample", "invalid_label", "label_conflict"]
    assert all(outcome.message for outcome in outcomes[1:5])


def test_a_conflict_with_an_earlier_run_is_reported_not_taught(collection) -> None:
    list(import_rows(collection, [TableRow(1, "line 2", "a", "one text")]))
    (outcome,) = import_rows(collection, [TableRow(1, "line 2", "b", "one text")])
    assert (outcome.status, outcome.code) == ("conflict", "label_conflict")
    assert collection.labels() == {"a": 1}


def test_labels_differing_in_outer_white_space_are_the_same(collection) -> None:
    list(import_rows(collection, [TableRow(1, "line 2", " a ", "one text")]))
    (outcome,) = import_rows(collection, [TableRow(1, "line 2", "a ", "one text")])
    assert outcome.status == "present"


def test_a_store_that_cannot_go_on_ends_the_import(collection, monkeypatch) -> None:
    def locked(*_, **__):
        yield WorkspaceLockedError("locked")

    monkeypatch.setattr(type(collection), "teach_many", locked)
    with pytest.raises(WorkspaceLockedError):
        list(import_rows(collection, rows(1)))


def test_an_outcome_as_json_leaves_out_what_is_empty() -> None:
    outcome = RowOutcome(1, "line 2", "taught", "a", "s_1")
    assert outcome.to_json() == {
        "row": 1, "place": "line 2", "status": "taught", "label": "a", "support_id": "s_1",
    }  # fmt: skip


def test_images_are_imported_and_recognized_again() -> None:
    rng = np.random.default_rng(0)
    given = [
        TableRow(i, f"item {i}", f"class {i}", rng.integers(0, 255, (16, 16, 3), dtype=np.uint8))
        for i in (1, 2, 3)
    ]
    with imprint.open() as workspace:
        collection = workspace.collection("pets", modality="image", encoder="toy-image")
        assert statuses(import_rows(collection, given)) == ["taught"] * 3
        assert statuses(import_rows(collection, given)) == ["present"] * 3
