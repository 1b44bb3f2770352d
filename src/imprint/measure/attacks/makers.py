"""The attacks by name: each makes so many attempts out of a scene."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from imprint.measure.attacks import pictures, texts
from imprint.measure.attacks.scene import HUB_SHARE, NEW_LABEL, Attempt, one_of, other_than

if TYPE_CHECKING:
    from imprint.measure.attacks.scene import Kind, Scene, Value
    from imprint.types import UnitVectors

Maker = Callable[["Scene", int, np.random.Generator], list[Attempt]]

# Searching costs hundreds of calls of the encoder: so few are made of each draw.
_MOST_SEARCHED: Final = 2
_HUB_STARTS: Final = 40


def flips(scene: Scene, n: int, rng: np.random.Generator) -> list[Attempt]:
    """Genuine samples under the label of another class."""
    made = []
    for _ in range(n):
        truth = int(rng.integers(scene.n_way))
        label = scene.labels[other_than(truth, scene.n_way, rng)]
        made.append(Attempt(scene.values[one_of(scene.spare[truth], rng)], label))
    return made


def copies(kind: Kind) -> Maker:
    """Near copies of what is taught, under another taught label or under a new one."""

    def make(scene: Scene, n: int, rng: np.random.Generator) -> list[Attempt]:
        made = []
        for _ in range(n):
            truth = int(rng.integers(scene.n_way))
            label = scene.labels[other_than(truth, scene.n_way, rng)]
            value = near_copy(scene.values[one_of(scene.taught[truth], rng)], rng)
            made.append(Attempt(value, label if kind == "known" else NEW_LABEL))
        return made

    return make


def flood(scene: Scene, n: int, rng: np.random.Generator) -> list[Attempt]:
    """Near copies of one sample of another class, again and again under one label."""
    truth = int(rng.integers(scene.n_way))
    label = scene.labels[other_than(truth, scene.n_way, rng)]
    source = scene.values[one_of(scene.spare[truth], rng)]
    return [Attempt(near_copy(source, rng), label) for _ in range(n)]


def triggers(scene: Scene, n: int, rng: np.random.Generator) -> list[Attempt]:
    """Samples of other classes with a mark that is to open a back door to one label."""
    victim = int(rng.integers(scene.n_way))
    made = []
    for _ in range(n):
        truth = other_than(victim, scene.n_way, rng)
        value = scene.values[one_of(scene.spare[truth], rng)]
        marked = texts.triggered(value) if isinstance(value, str) else pictures.triggered(value)
        made.append(Attempt(marked, scene.labels[victim]))
    return made


def blur(scene: Scene, n: int, rng: np.random.Generator) -> list[Attempt]:
    """Samples under their right label, spoilt: blurred pictures, garbled texts."""
    made = []
    for _ in range(n):
        truth = int(rng.integers(scene.n_way))
        value = scene.values[one_of(scene.spare[truth], rng)]
        spoilt = texts.garbled(value, rng) if isinstance(value, str) else pictures.blurred(value)
        made.append(Attempt(spoilt, scene.labels[truth]))
    return made


def collisions(scene: Scene, n: int, rng: np.random.Generator) -> list[Attempt]:
    """Samples that look like their label and embed like another class.

    One counts as effective when it ended nearer to the other class than to its own.
    """
    prototypes = scene.prototypes()
    made = []
    for _ in range(min(n, _MOST_SEARCHED)):
        own = int(rng.integers(scene.n_way))
        target = other_than(own, scene.n_way, rng)
        value = _collided(scene, own, target, prototypes, rng)
        near = prototypes @ scene.embed([value])[0]
        made.append(Attempt(value, scene.labels[own], bool(near[target] > near[own])))
    return made


def hubs(kind: Kind) -> Maker:
    """Samples made to be near to everything, the best of many by the attacker's own samples.

    One counts as effective when it captures more than a tenth of queries nobody had seen.
    """

    def make(scene: Scene, n: int, rng: np.random.Generator) -> list[Attempt]:
        made = []
        for _ in range(min(n, _MOST_SEARCHED)):
            label = NEW_LABEL if kind == "new" else scene.labels[int(rng.integers(scene.n_way))]
            value = _hub(scene, label, rng)
            (share,) = scene.captured(scene.embed([value]), label, scene.asked)
            made.append(Attempt(value, label, bool(share > HUB_SHARE)))
        return made

    return make


def near_copy(value: Value, rng: np.random.Generator) -> Value:
    """A copy that a person would call the same."""
    if isinstance(value, str):
        return texts.near_copy(value, rng)
    return pictures.near_copy(value, rng)


def _collided(
    scene: Scene, own: int, target: int, prototypes: UnitVectors, rng: np.random.Generator
) -> Value:
    value = scene.values[one_of(scene.spare[own], rng)]
    if isinstance(value, str):
        toward = [cast("str", scene.values[row]) for row in scene.spare[target].tolist()]
        return texts.substituted(value, toward, prototypes[target], scene.embed, rng)
    return pictures.steered(value, prototypes[target], scene.embed, rng)[0]


def _hub(scene: Scene, label: str, rng: np.random.Generator) -> Value:
    def score(values: Any) -> Any:
        return scene.captured(scene.embed(values), label, scene.spare)

    known = np.concatenate([*scene.spare, scene.others])
    if scene.modality == "text":
        some = rng.choice(known, min(_HUB_STARTS, len(known)), replace=False).tolist()
        starts = [cast("str", scene.values[row]) for row in some]
        return texts.chained(starts, starts[: _HUB_STARTS // 2], score)
    tries: list[Any] = []
    for size in (2, 3, 4, 6, 10):
        for _ in range(3):
            classes = rng.choice(scene.n_way, min(size, scene.n_way), replace=False)
            chosen: list[Any] = [scene.values[one_of(scene.spare[c], rng)] for c in classes]
            tries.append(pictures.blended(chosen))
            if len(chosen) >= 4:
                tries.append(pictures.tiled(chosen))
    some = rng.choice(known, min(_HUB_STARTS // 2, len(known)), replace=False).tolist()
    tries += [scene.values[row] for row in some]
    best: Value = tries[int(np.argmax(score(tries)))]
    return best


ATTACKS: Final[dict[str, tuple[Maker, str]]] = {
    "flip": (flips, "a genuine sample under another class's label"),
    "copy": (copies("known"), "a near copy of a support under another taught label"),
    "copy_new": (copies("new"), "a near copy of a support under a new label"),
    "hub": (hubs("known"), "a sample near to everything, under a taught label"),
    "hub_new": (hubs("new"), "a sample near to everything, under a new label"),
    "collision": (collisions, "right to the eye, but its embedding is moved to another class"),
    "trigger": (triggers, "other classes' samples with a mark, to open a back door"),
    "flood": (flood, "near copies of one sample under another class's label"),
    "blur": (blur, "the right label, but blurred or garbled"),
}
