"""The demo tells the truth: its figures are counted again here, from the answers it shows."""

from __future__ import annotations

import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

import imprint
from imprint.cli import app
from imprint.recipes import demo
from imprint.recipes.demo import symbols, tickets

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def stage() -> Iterator[imprint.Workspace]:
    with (
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("IMPRINT_TEXT_ENCODER", "toy-text")
        patch.setenv("IMPRINT_IMAGE_ENCODER", "toy-image")
        with imprint.open() as workspace:
            yield workspace


@pytest.fixture(scope="module")
def told(stage: imprint.Workspace) -> list[demo.Told]:
    scenes = (demo.tickets_scene(), demo.symbols_scene(0))
    return [demo.tell(scene, stage, lambda *_: None) for scene in scenes]


def test_the_scenes_are_as_large_as_promised() -> None:
    for scene in (demo.tickets_scene(), demo.symbols_scene(0)):
        n_unknown = sum(query.label is None for query in scene.queries)
        assert len(scene.examples) >= 10
        assert len(scene.queries) >= 60
        assert n_unknown * 3 == len(scene.queries)
        assert {q.label for q in scene.queries} == {*scene.examples, None}


def test_no_ticket_is_told_twice() -> None:
    texts = [*tickets.EXAMPLES.values(), *tickets.UNKNOWN]
    texts += [text for group in tickets.KNOWN.values() for text in group]
    assert [text for text, n in Counter(texts).items() if n > 1] == []
    assert set(tickets.KNOWN) == set(tickets.EXAMPLES)


def test_symbols_differ_from_each_other_and_the_seed_decides_the_rest() -> None:
    drawn = {np.asarray(symbols.clean(name)).tobytes() for name in symbols.KNOWN + symbols.UNKNOWN}
    assert len(drawn) == len(symbols.KNOWN) + len(symbols.UNKNOWN)

    def first(seed: int) -> bytes:
        return np.asarray(demo.symbols_scene(seed).queries[0].source).tobytes()

    assert first(1) == first(1)
    assert first(1) != first(2)


def test_figures_are_those_of_the_answers(told) -> None:
    for story in told:
        known = [e for e in story.exchanges if e.query.label is not None]
        unknown = [e for e in story.exchanges if e.query.label is None]
        right = sum(e.answer.label == e.query.label for e in known)
        refused = sum(e.answer.decision == "unknown" for e in unknown)
        assert story.accuracy_ratio == right / len(known)
        assert story.refused_ratio == refused / len(unknown)
        assert len(story.explained) == 3
        if story.mistake is not None:
            assert not story.mistake.is_right


def test_what_is_forgotten_is_no_longer_a_candidate(told) -> None:
    for story in told:
        assert story.forgotten in [c.label for c in story.before.answer.candidates]
        assert story.forgotten not in [c.label for c in story.after.answer.candidates]
        assert story.before.query is story.after.query


def test_the_account_shows_figures_reasons_a_mistake_and_the_change(told) -> None:
    for story in told:
        account = demo.account(story)
        for phrase in ("known queries recognized", "unknown queries refused", "Three answers"):
            assert phrase in account
        assert "mistake" in account
        assert "before" in account
        assert account.count("to the example of") >= 6


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        self.links += [value for name, value in attrs if name in {"src", "href", "srcset"}]


def test_the_report_needs_nothing_beside_itself(told, tmp_path) -> None:
    page = demo.write_report(tmp_path / "deep" / "report.html", told).read_text("utf-8")
    links = Links()
    links.feed(page)
    assert links.links
    assert all(link.startswith("data:image/jpeg;base64,") for link in links.links)
    assert "<script" not in page
    assert not re.search(r"url\(|@import", page)
    assert "prefers-color-scheme: dark" in page
    assert len(page) < 1_000_000


def test_a_part_that_cannot_be_shown_is_named_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMPRINT_TEXT_ENCODER", "not-to-be-had")
    monkeypatch.setenv("IMPRINT_IMAGE_ENCODER", "toy-image")
    result = CliRunner().invoke(app, ["demo", "--json"])
    assert result.exit_code == 4
    document = json.loads(result.stdout)
    assert [scene["collection"] for scene in document["scenes"]] == ["symbols"]
    assert "text part" in document["lacking"]
    assert "imprint models pull not-to-be-had" in result.stderr
    assert Path(document["report"]).is_file()


def test_the_verb_tells_the_story_and_names_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMPRINT_TEXT_ENCODER", "toy-text")
    monkeypatch.setenv("IMPRINT_IMAGE_ENCODER", "toy-image")
    result = CliRunner().invoke(app, ["demo", "--report", "out.html"])
    assert result.exit_code == 0, result.output
    assert "Support tickets" in result.stdout
    assert result.stdout.rstrip().endswith("out.html")
    assert Path("out.html").is_file()
    assert list(tmp_path.iterdir()) == [tmp_path / "out.html"]
