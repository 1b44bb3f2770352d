from __future__ import annotations

import json
import math
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from sklearn import metrics as oracle

from imprint.measure.episodes import Episode
from imprint.measure.report import Captions, Protocol, summarize
from imprint.measure.trial import Trial

LABELS = ("ant", "bee & <wasp>", "cat")


def protocol(**changes):
    fields = {
        "protocol": "episodic",
        "n_way": 2,
        "n_shot": 1,
        "n_query": 4,
        "n_episodes": 3,
        "seed": 0,
        "head": "prototype",
        "false_accept_rate": 0.05,
        "alpha": None,
        "n_classes": 3,
        "n_samples": 30,
        "n_left_out": 0,
        "encoder_version": "toy@0123",
    }
    return Protocol(**{**fields, **changes})


def made(seed, classes=(0, 1), n_unknown=4):
    rng = np.random.default_rng(seed)
    truth = np.repeat([0, 1], 4)
    answered = np.where(rng.random(8) < 0.7, truth, 1 - truth)
    episode = Episode(
        classes=np.array(classes),
        support_rows=np.array([0, 1]),
        support_class=np.array([0, 1]),
        query_rows=rng.permutation(20)[:8] + 2,
        query_class=truth,
        unknown_rows=np.arange(22, 22 + n_unknown),
    )
    confidence = rng.uniform(0.5, 1, 8)
    return Trial(
        episode=episode,
        answered=answered,
        rank=(answered != truth).astype(np.intp),
        confidence=confidence,
        brier=2 * np.where(answered == truth, 1 - confidence, confidence) ** 2,
        known=rng.uniform(0.4, 1, 8),
        recognized=rng.random(8) < 0.8,
        unknown_known=rng.uniform(0, 0.6, n_unknown),
        unknown_recognized=rng.random(n_unknown) < 0.1,
        support_accuracy=1.0,
    )


VECTORS = np.eye(30, dtype=np.float32)


@pytest.fixture
def trials():
    return [made(0), made(1, (1, 2)), made(2, (2, 0))]


def summarized(trials, **changes):
    return summarize(trials, LABELS, protocol(**changes), VECTORS, VECTORS, {"embed": 0.5})


def test_estimates_are_means_over_episodes(trials):
    report = summarized(trials)
    shares = [t.correct.mean() for t in trials]
    assert report.top1.mean == pytest.approx(np.mean(shares))
    assert report.top5.mean == 1
    assert report.support_query_gap.mean == pytest.approx(1 - np.mean(shares))
    areas = [
        oracle.roc_auc_score([1] * 8 + [0] * 4, np.r_[t.known, t.unknown_known]) for t in trials
    ]
    assert report.auroc.mean == pytest.approx(np.mean(areas))
    assert report.false_accept.mean == pytest.approx(
        np.mean([t.unknown_recognized.mean() for t in trials])
    )


def test_the_confusion_matrix_counts_in_pool_classes(trials):
    report = summarized(trials)
    truth = np.concatenate([t.episode.classes[t.episode.query_class] for t in trials])
    answered = np.concatenate([t.episode.classes[t.answered] for t in trials])
    assert np.array_equal(report.confusion, oracle.confusion_matrix(truth, answered))
    assert sum(row.n_queries for row in report.per_class) == 24


def test_worst_mistakes_are_wrong_distinct_and_surest_first(trials):
    mistakes = summarized(trials).mistakes
    assert len(mistakes) == len({m.row for m in mistakes}) > 0
    assert all(m.truth != m.answered for m in mistakes)
    sure = [m.confidence for m in mistakes]
    assert sure == sorted(sure, reverse=True)
    assert all(len(m.evidence) == 2 and m.evidence[0].row in {0, 1} for m in mistakes)


def test_without_unknown_queries_open_set_numbers_are_absent():
    report = summarized([made(0, n_unknown=0)])
    assert report.auroc is report.fpr95 is report.false_accept is None
    assert math.isnan(report.top1.ci95)
    shape = report.to_json()
    assert shape["auroc"] is None
    assert shape["top1"]["ci95"] is None
    assert "no class left to ask" in report.to_text()


def test_json_holds_the_promised_fields_and_no_surprises(trials):
    report = summarized(trials)
    shape = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert {
        "top1", "top5", "ece", "auroc", "n_way", "n_shot", "n_query", "n_episodes", "head",
        "encoder_version", "seconds",
    } <= set(shape)  # fmt: skip
    assert shape["top1"] == {"mean": report.top1.mean, "ci95": report.top1.ci95}
    assert shape["encoder_version"] == "toy@0123"
    assert sum(map(sum, shape["confusion"])) == sum(b["n"] for b in shape["reliability"]) == 24


def test_the_terminal_table_names_protocol_numbers_and_weakest_class(trials):
    text = summarized(trials).to_text(n_classes=1)
    assert text.startswith("2-way 1-shot, 4 queries per class, 3 episodes, seed 0, head prototype")
    assert "top-1 accuracy" in text
    assert "±" in text
    table = text.split("weakest classes")[1]
    assert sum(label in table for label in LABELS) == 1


def test_other_protocols_are_named_as_such(trials):
    full = summarized(trials, protocol="full", n_query=None).to_text()
    assert full.startswith("full set: 2 of 3 classes taught from 1 each")
    assert "Dirichlet, alpha 0.5" in summarized(trials, alpha=0.5).to_text()


class Page(HTMLParser):
    """Collects tags and their attributes; knows which elements need no closing."""

    VOID = frozenset({"meta", "img", "br", "line", "rect", "circle", "polyline"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.said = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, text):
        self.said.append(text)


def test_the_page_is_whole_self_contained_and_accessible(trials, tmp_path):
    written = tmp_path / "report.html"
    text = summarized(trials).to_html(written)
    assert written.read_text(encoding="utf-8") == text
    page = Page(text)
    assert page.open == []
    plots = [attrs for tag, attrs in page.tags if tag == "svg"]
    assert len(plots) == 2
    identifiers = {attrs.get("id") for _, attrs in page.tags}
    for attrs in plots:
        assert attrs["role"] == "img"
        assert set(attrs["aria-labelledby"].split()) <= identifiers
    assert not [tag for tag, _ in page.tags if tag in {"script", "link", "iframe"}]
    assert "http" not in text.replace("http-equiv", "")
    assert "prefers-color-scheme: dark" in text


def test_labels_and_samples_are_shown_as_text_never_as_markup(trials):
    report = summarized(trials)
    rows = {m.row for m in report.mistakes}
    captions = Captions(dict.fromkeys(rows, "<script>alert(1)</script>"), {0: "near <b>"})
    text = replace(report, captions=captions).to_html()
    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "near &lt;b&gt;" in text
    assert "bee & <wasp>" not in text
    assert "bee &amp; &lt;wasp&gt;" in text


def test_samples_can_be_left_out_of_the_page(trials):
    report = summarized(trials)
    rows = dict.fromkeys((m.row for m in report.mistakes), "secret words")
    shown = replace(report, captions=Captions(rows, {}))
    assert "secret words" in shown.to_html()
    assert "secret words" not in shown.to_html(samples=False)


def test_many_classes_are_cut_to_the_hardest_in_the_heat_map():
    from imprint.measure.report.plots import confusion_plot, hardest

    confusion = np.diag(np.full(100, 5))
    confusion[7, 90] = confusion[90, 7] = 3
    chosen = hardest(confusion, 60)
    assert len(chosen) == 60
    assert {7, 90} <= set(chosen.tolist())
    drawn = confusion_plot(confusion, [f"c{i}" for i in range(100)])
    assert "c7 answered as c90: 3 of 8" in drawn
    assert "60 of 100 classes" in drawn


def test_a_perfect_evaluation_has_no_mistakes_to_show(trials):
    perfect = made(0)
    truth = perfect.episode.query_class
    right = replace(perfect, answered=truth, rank=np.zeros_like(perfect.rank))
    text = summarized([right, right]).to_html()
    assert "every query was answered rightly" in text
