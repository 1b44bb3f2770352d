"""Attacks do what they are made for, on worlds small enough to count."""

from __future__ import annotations

import numpy as np
import pytest

from imprint.measure.attacks import pictures, texts
from imprint.measure.attacks.makers import ATTACKS
from imprint.measure.attacks.scene import HUB_SHARE, NEW_LABEL, Scene
from imprint.vectors import unit

N_WAY, N_EACH, DIM = 4, 9, 24


def _word(word: str) -> np.ndarray:
    return np.random.default_rng(sum(map(ord, word))).normal(size=DIM)


def embed_texts(values):
    return unit([np.sum([_word(w) for w in str(v).lower().split()], axis=0) for v in values])


def embed_pictures(values):
    """Mean colors of the four quarters."""
    rows = []
    for one in values:
        h, w = one.shape[0] // 2, one.shape[1] // 2
        parts = (one[:h, :w], one[h:, :w], one[:h, w:], one[h:, w:])
        rows.append(np.concatenate([p.mean(axis=(0, 1)) for p in parts]) - 100.0)
    return unit(np.array(rows))


def scene_of(values, embed):
    rows = [np.arange(c * N_EACH, (c + 1) * N_EACH) for c in range(N_WAY)]
    return Scene(
        values,
        embed(values),
        tuple(f"c{c}" for c in range(N_WAY)),
        tuple(r[:2] for r in rows),
        tuple(r[2:5] for r in rows),
        tuple(r[5:] for r in rows),
        np.zeros(0, np.intp),
        embed,
    )


@pytest.fixture(params=["text", "image"])
def scene(request):
    rng = np.random.default_rng(3)
    if request.param == "text":
        values = [
            " ".join(f"c{c}w{j}" for j in rng.choice(6, 4, replace=False))
            for c in range(N_WAY)
            for _ in range(N_EACH)
        ]
        return scene_of(values, embed_texts)
    colors = rng.integers(30, 225, (N_WAY, 2, 2, 3))
    values = [
        np.clip(
            np.kron(colors[c], np.ones((12, 12, 1))) + rng.normal(0, 12, (24, 24, 3)), 0, 255
        ).astype(np.uint8)
        for c in range(N_WAY)
        for _ in range(N_EACH)
    ]
    return scene_of(values, embed_pictures)


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_makes_samples_under_labels_again_the_same_by_the_same_seed(
    scene, name
) -> None:
    first, again = (ATTACKS[name][0](scene, 3, np.random.default_rng(1)) for _ in range(2))
    assert 1 <= len(first) <= 3
    for one, other in zip(first, again, strict=True):
        assert one.label in {*scene.labels, NEW_LABEL}
        assert type(one.value) is type(scene.values[0])
        assert np.array_equal(one.value, other.value)
        assert (one.label, one.effective) == (other.label, other.effective)


def test_a_flip_is_another_classes_sample(scene) -> None:
    for one in ATTACKS["flip"][0](scene, 5, np.random.default_rng(2)):
        (row,) = [r for r, v in enumerate(scene.values) if v is one.value]
        assert scene.labels[row // N_EACH] != one.label


def test_captured_counts_the_queries_that_change_sides(scene) -> None:
    hub = scene.vectors[scene.asked[1][0]]
    (share,) = scene.captured(hub[None], NEW_LABEL, scene.asked)
    prototypes = [unit(scene.vectors[rows].mean(axis=0))[0] for rows in scene.taught]
    turned = [
        float(scene.vectors[row] @ hub) > float(scene.vectors[row] @ prototypes[c])
        for c, rows in enumerate(scene.asked)
        for row in rows
    ]
    assert share == pytest.approx(np.mean(turned))
    (joined,) = scene.captured(hub[None], "c0", scene.asked)
    assert 0.0 <= joined <= 1.0


def test_a_hub_is_effective_only_when_it_captures_what_nobody_had_seen(scene) -> None:
    for one in ATTACKS["hub_new"][0](scene, 2, np.random.default_rng(4)):
        (share,) = scene.captured(scene.embed([one.value]), one.label, scene.asked)
        assert one.effective == (share > HUB_SHARE)


def test_a_steered_picture_nears_its_target_and_changes_little() -> None:
    rng = np.random.default_rng(5)
    start, aim = (rng.integers(0, 255, (24, 24, 3)).astype(np.uint8) for _ in range(2))
    target = embed_pictures([aim])[0]
    moved, near = pictures.steered(start, target, embed_pictures, rng)
    assert near > float(embed_pictures([start])[0] @ target) + 0.02
    assert np.abs(moved.astype(int) - start).max() <= 24


def test_substituted_words_near_the_target_and_half_of_the_text_stays() -> None:
    rng = np.random.default_rng(6)
    text, toward = "a b c d e f", ["u v w", "x y z"]
    target = embed_texts(["u v w x y z"])[0]
    moved = texts.substituted(text, toward, target, embed_texts, rng)
    assert embed_texts([moved])[0] @ target > embed_texts([text])[0] @ target
    assert len(set(moved.split()) & set(text.split())) >= 3


def test_near_copies_differ_from_what_they_copy() -> None:
    rng = np.random.default_rng(7)
    text = "Where is my card?"
    assert all(texts.near_copy(text, rng) != text for _ in range(20))
    picture = rng.integers(0, 255, (40, 30, 3)).astype(np.uint8)
    assert pictures.near_copy(picture, rng).shape == (38, 28, 3)
    assert pictures.blurred(picture).std() < picture.std()
