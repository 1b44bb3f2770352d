from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from sklearn.neighbors import KNeighborsClassifier

import imprint
from docs.pages import DOCS, blocks
from flows.words import TOPICS, WordEncoder, variants
from imprint import heads
from imprint.errors import (
    EncoderMismatchError,
    InvalidInputError,
    InvalidOptionError,
    TooFewSupportsError,
    VectorError,
)

HEADS = sorted(heads.HEADS)


def clusters(n_classes=9, n_each=30, dim=24, spread=0.5, seed=0):
    rng = np.random.default_rng(seed)
    middles = rng.normal(size=(n_classes, dim))
    labels = np.repeat(np.arange(n_classes), n_each)
    noise = spread * rng.normal(size=(len(labels), dim))
    return 3 * (middles[labels] + noise), [f"kind {i}" for i in labels]


def texts(n_each=25):
    pairs = [(topic, text) for topic in TOPICS for text in variants(topic, n_each)]
    return [text for _, text in pairs], [topic for topic, _ in pairs]


def same_answers(one, two):
    shapes = [json.loads(json.dumps(r.to_json())) for r in (one, two)]
    for shape in shapes:
        del shape["seconds"]
    return shapes[0] == shapes[1]


def test_the_promised_positional_call_gives_the_promised_numbers():
    report = imprint.evaluate(*clusters(), 5, 1, 15, 40, "prototype", 0)
    assert 0.7 < report.top1.mean <= 1
    assert 0 < report.top1.ci95 < 0.1
    for estimate in (report.top5, report.ece, report.brier, report.auroc, report.fpr95):
        assert 0 <= estimate.mean <= 1
        assert estimate.ci95 >= 0
    assert (report.n_way, report.n_shot, report.n_query, report.n_episodes) == (5, 1, 15, 40)
    assert report.head == "prototype"
    assert report.encoder_version is None
    assert set(report.seconds) == {"embed", "episodes"}
    assert report.confusion.sum() == 40 * 5 * 15


def test_defaults_are_600_five_way_episodes():
    report = imprint.evaluate(*clusters(dim=8), head="prototype", n_query=2)
    assert (report.n_way, report.n_shot, report.n_episodes) == (5, 1, 600)


@pytest.mark.parametrize("head", HEADS)
def test_the_same_seed_gives_the_same_report_and_another_a_different_one(head):
    asked = {"n_episodes": 6, "head": head, "n_shot": 2}
    one, two, other = (imprint.evaluate(*clusters(), seed=s, **asked) for s in (4, 4, 5))
    assert same_answers(one, two)
    assert not same_answers(one, other)


def test_every_head_is_asked_the_same_queries():
    reports = [imprint.evaluate(*clusters(), n_episodes=10, head=head) for head in HEADS]
    asked = [report.confusion.sum(axis=1).tolist() for report in reports]
    assert asked[0] == asked[1] == asked[2]


def test_scaling_vectors_changes_nothing():
    vectors, labels = clusters()
    one = imprint.evaluate(vectors, labels, n_episodes=5, head="prototype")
    two = imprint.evaluate((8 * vectors).tolist(), labels, n_episodes=5, head="prototype")
    assert same_answers(one, two)


def test_the_full_set_protocol_agrees_with_scikit_learn():
    vectors, labels = clusters(spread=1.5)
    # With all 30 of each class taught there is one draw only.
    asked, truth = clusters(spread=1.5)
    asked = asked + 6 * np.random.default_rng(1).normal(size=asked.shape)
    report = imprint.evaluate(
        vectors, labels, n_shot=30, head="nearest", protocol="full",
        test=(asked, truth), n_episodes=2,
    )  # fmt: skip
    oracle = KNeighborsClassifier(1, metric="cosine").fit(vectors, labels)
    assert report.top1.mean == pytest.approx(oracle.score(asked, truth))
    assert report.top1.mean < 1
    assert report.protocol.protocol == "full"
    assert report.n_way == 9
    assert report.auroc is None


def test_classes_left_out_of_the_full_set_are_asked_as_unknown():
    vectors, labels = clusters()
    report = imprint.evaluate(
        vectors, labels, n_way=6, n_shot=2, head="prototype", protocol="full",
        test=(vectors, labels), n_episodes=3,
    )  # fmt: skip
    assert report.confusion.sum() == 3 * 6 * 30
    assert report.auroc.mean > 0.7
    assert 0 <= report.false_accept.mean <= 1


def test_dirichlet_queries_keep_their_number():
    report = imprint.evaluate(*clusters(), n_episodes=5, n_query=4, alpha=1.0, head="prototype")
    assert report.confusion.sum() == 5 * 20
    assert report.protocol.alpha == 1.0


def test_texts_are_embedded_with_the_given_encoder_and_shown_in_the_page():
    encoder, stages = WordEncoder(), []
    report = imprint.evaluate(
        *texts(), n_way=3, n_query=10, n_episodes=20, head="prototype", encoder=encoder,
        progress=lambda *told: stages.append(told),
    )  # fmt: skip
    assert report.encoder_version == encoder.version
    assert report.top1.mean > 0.5
    assert ("embed", 100, 100) in stages
    assert stages[-1] == ("episodes", 20, 20)
    assert len(report.captions.queries) == len(report.mistakes) > 0
    shown = next(iter(report.captions.queries.values()))
    assert shown in report.to_html()
    assert shown not in report.to_html(samples=False)
    assert shown not in json.dumps(report.to_json())


def test_images_are_embedded_and_their_mistakes_shown_as_pictures():
    rng = np.random.default_rng(0)
    pictures = [
        Image.fromarray(rng.integers(0, 255, (20, 30, 3), dtype=np.uint8)) for _ in range(24)
    ]

    def colors(batch):
        return np.stack([np.asarray(p, dtype=np.float32).mean(axis=(0, 1)) for p in batch])

    report = imprint.evaluate(
        pictures, [i % 2 for i in range(24)], n_way=2, n_query=3, n_episodes=10,
        head="prototype", encoder=colors,
    )  # fmt: skip
    assert report.mistakes
    assert 'src="data:image/png;base64,' in report.to_html()


def test_vectors_keep_the_version_of_the_encoder_that_made_them():
    encoder = WordEncoder()
    vectors = np.random.default_rng(0).normal(size=(60, encoder.dim))
    labels = [f"{i % 3}" for i in range(60)]
    asked = {"n_way": 3, "n_query": 5, "n_episodes": 2, "head": "prototype"}
    assert imprint.evaluate(vectors, labels, encoder=encoder, **asked).encoder_version == (
        encoder.version
    )
    assert imprint.evaluate(vectors, labels, encoder="made@1", **asked).encoder_version == "made@1"
    with pytest.raises(EncoderMismatchError, match=r"width 10, those of words@.* have 96"):
        imprint.evaluate(vectors[:, :10], labels, encoder=encoder, **asked)


@pytest.mark.parametrize(
    "labels", [np.arange(60) % 3, [i % 3 for i in range(60)], [b"a", b"b"] * 30]
)
def test_labels_may_be_numbers_or_bytes(labels):
    vectors = np.random.default_rng(0).normal(size=(60, 5))
    report = imprint.evaluate(vectors, labels, n_way=2, n_query=3, n_episodes=2, head="prototype")
    assert all(isinstance(label, str) for label in report.labels)


def test_a_missing_label_is_named_by_its_row():
    with pytest.raises(InvalidOptionError, match="sample 1 has no label"):
        imprint.evaluate(np.eye(3), ["a", None, "b"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_way": 10}, "10 classes are needed .* but there are 9"),
        ({"n_shot": 20}, "'kind 0' holds 30 samples but 20 supports and 15 queries need 35"),
    ],
)
def test_too_few_samples_are_explained(change, message):
    with pytest.raises(TooFewSupportsError, match=message):
        imprint.evaluate(*clusters(), **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"head": "nonsense"}, "nonsense"),
        ({"n_episodes": 0}, "n_episodes must be a whole number from 1 on"),
        ({"false_accept_rate": 2.0}, "false_accept_rate"),
        ({"protocol": "other"}, "episodic"),
        ({"protocol": "full"}, "go together"),
        ({"test": ([[1.0]], ["a"])}, "go together"),
        ({"n_unknown_way": 7}, "12 classes are needed"),
    ],
)
def test_impossible_requests_are_refused(change, message):
    with pytest.raises(InvalidInputError, match=message):
        imprint.evaluate(*clusters(), **change)


def test_unequal_numbers_of_samples_and_labels_are_counted():
    with pytest.raises(InvalidOptionError, match="3 samples and 2 labels"):
        imprint.evaluate(np.eye(3), ["a", "b"])


def test_no_samples_at_all_are_refused():
    with pytest.raises(InvalidOptionError, match="0 samples"):
        imprint.evaluate([], [])


def test_broken_vectors_are_named_by_their_row():
    vectors, labels = clusters()
    vectors[17, 3] = np.nan
    with pytest.raises(VectorError, match="row 17"):
        imprint.evaluate(vectors, labels)


def test_a_source_that_cannot_be_read_is_named_by_its_row():
    sources, labels = texts()
    sources[3] = "   "
    with pytest.raises(InvalidInputError, match="sample 3"):
        imprint.evaluate(sources, labels, n_way=2, encoder=WordEncoder())


def test_sources_that_cannot_be_read_can_be_left_out_and_are_counted():
    sources, labels = texts()
    broken = [*sources]
    broken[3] = broken[60] = "   "
    asked = {"n_way": 3, "n_query": 10, "n_episodes": 20, "head": "prototype"}
    report = imprint.evaluate(broken, labels, encoder=WordEncoder(), leave_out=True, **asked)
    assert report.to_json()["n_left_out"] == 2
    assert report.protocol.n_samples == 98
    assert "2 unreadable left out" in report.to_text()
    assert {report.captions.queries[m.row] for m in report.mistakes} <= set(sources)
    assert all(report.captions.queries[m.row] == broken[m.row] for m in report.mistakes)
    with pytest.raises(InvalidInputError, match="none of the 2 samples"):
        imprint.evaluate([" ", ""], ["a", "b"], encoder=WordEncoder(), leave_out=True)


def test_vectors_and_sources_do_not_mix():
    with pytest.raises(InvalidOptionError, match="give both alike"):
        imprint.evaluate(*clusters(), protocol="full", test=(["a text"], ["kind 0"]))


def test_the_page_on_evaluation_runs_as_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for number, code in enumerate(blocks(DOCS / "evaluation.md", "python"), 1):
        exec(compile(code, f"docs/evaluation.md, block {number}", "exec"), names)  # noqa: S102
    assert names["report"].top1.mean > 0.5
    assert names["opened"].auroc.mean > 0.5
