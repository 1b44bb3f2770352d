"""A collection that masks keeps nothing of what it masked, and knows it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import imprint
from imprint.errors import InvalidOptionError
from imprint.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "ann.smith@mail.example.org"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache=tmp_path / "cache", text_encoder="toy-text")


def test_what_is_masked_is_nowhere_in_the_workspace(tmp_path: Path, settings: Settings) -> None:
    home = tmp_path / "home"
    with imprint.open(home, settings=settings) as workspace:
        tickets = workspace.collection("tickets", "text", policy={"mask": ["email"]})
        receipt = tickets.teach("refund", f"please write to {SECRET} about my money")
        assert "personal data masked: 1" in str(receipt.checks)
        assert SECRET not in str(receipt)
        (many,) = tickets.teach_many([("refund", f"or answer {SECRET} with my refund")])
        assert many.state
        asked = tickets.classify("please write to bob@example.com about my money")
        assert asked.evidence[0].similarity > 0.999  # the same text once both are masked
        item = tickets.raw(receipt.support_id)
        assert item is not None
        assert item.content == b"please write to [email] about my money"
        bundle = tickets.export(tmp_path / "tickets.imprint")
        assert imprint.load(bundle).classify(f"please write to {SECRET} about my money").evidence
    kept = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert SECRET.encode() not in kept
    assert b"[email]" in kept


def test_a_rule_of_the_callers_own_holds_for_teaching_and_asking(settings: Settings) -> None:
    with imprint.open(settings=settings) as workspace:
        tickets = workspace.collection("tickets", "text")
        tickets.mask_with(lambda text: (text.replace("Ann Smith", "[name]"), 1))
        receipt = tickets.teach("refund", "Ann Smith wants her money back")
        item = tickets.raw(receipt.support_id)
        assert item is not None
        assert item.content == b"[name] wants her money back"
        assert tickets.classify("Ann Smith wants her money back").label == "refund"


def test_a_mask_that_does_not_exist_is_refused(settings: Settings) -> None:
    with imprint.open(settings=settings) as workspace:
        for mask in (["names"], "email", [7]):
            with pytest.raises(InvalidOptionError, match="mask"):
                workspace.collection("tickets", "text", policy={"mask": mask})
