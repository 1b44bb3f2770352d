"""A copy changed a little is held under another label, a known one or a new one."""

from __future__ import annotations

import numpy as np
import pytest

from flows.words import WordEncoder
from imprint.errors import ImprintError

TEXT = "my parcel never came although it was sent on monday"
COPY = "my parcel never came although it was sent on mondya"


@pytest.fixture
def posted(opened):
    collection = opened(None).collection("post", modality="text", encoder=WordEncoder())
    collection.teach("lost", TEXT)
    collection.teach("refund", "please give me the money back for the shoes")
    return collection


def held_by(receipt) -> set[str]:
    return {check.name for check in receipt.checks if check.verdict == "quarantine"}


@pytest.mark.parametrize("label", ["refund", "brand new"])
def test_a_copy_under_another_label_is_held(posted, label) -> None:
    receipt = posted.teach(label, COPY)
    assert receipt.state == "quarantined"
    assert "copy" in held_by(receipt)


def test_a_copy_under_its_own_label_is_no_conflict(posted) -> None:
    assert "copy" not in held_by(posted.teach("lost", COPY))


def test_a_copy_within_one_batch_is_held(opened) -> None:
    collection = opened(None).collection("post", modality="text", encoder=WordEncoder())
    outcomes = list(collection.teach_many([("lost", TEXT), ("new", COPY)]))
    assert not any(isinstance(one, ImprintError) for one in outcomes)
    assert [one.state for one in outcomes] == ["active", "quarantined"]


def test_a_copy_of_what_was_forgotten_is_free(posted) -> None:
    posted.teach("refund", COPY)
    posted.forget("lost")
    assert "copy" not in held_by(posted.validate("brand new", COPY.replace("sent", "snet")))


def test_without_raw_samples_there_is_nothing_to_compare(opened) -> None:
    collection = opened(None).collection(
        "post", modality="text", encoder=WordEncoder(), policy={"keep_raw": False}
    )
    collection.teach("lost", TEXT)
    checks = collection.validate("new", COPY).checks
    assert "copy" not in {check.name for check in checks}


def test_pictures_are_compared_as_well(opened) -> None:
    def encoder(samples):
        return np.array([[1.0, float(np.mean(one)) / 255] for one in samples])

    rng = np.random.default_rng(0)
    picture = np.kron(rng.integers(0, 255, (6, 6, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    collection = opened(None).collection("parts", modality="image", encoder=encoder)
    collection.teach("bolt", picture)
    assert "copy" in held_by(collection.teach("nut", picture[1:-1, 1:-1]))
