"""Material for attacks: labelled samples decoded and embedded once, and scenes drawn from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from imprint.errors import InvalidInputError, InvalidOptionError, TooFewSupportsError
from imprint.intake.decode import guess_modality, to_sample
from imprint.measure.attacks.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imprint.encoders.protocol import Encoder
    from imprint.flows.workspace import Workspace
    from imprint.measure.attacks.scene import Rows, Value
    from imprint.types import Modality, Sample, UnitVector, UnitVectors

_BATCH: Final = 64
# So many classes and samples of each are taken at the most: enough for draws, minutes to embed.
_MOST_CLASSES, _MOST_EACH = 30, 25
# A class gives this share of what is not taught to be asked, the rest is the attacker's.
_ASKED_SHARE: Final = 0.5
_FEWEST_CLASSES, _FEWEST_LEFT = 3, 4
_LONGEST_PX: Final = 256


class Remembering:
    """An encoder that embeds every sample once."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._known: dict[str, UnitVector] = {}
        self.name, self.version = encoder.name, encoder.version
        self.modality: Modality = encoder.modality
        self.dim, self.background = encoder.dim, encoder.background

    def encode(self, samples: Sequence[Sample]) -> UnitVectors:
        """Embed what was not embedded before."""
        new = {one.content_hash: one for one in samples if one.content_hash not in self._known}
        if new:
            vectors = self._encoder.encode(list(new.values()))
            self._known.update(zip(new, vectors, strict=True))
        return np.stack([self._known[one.content_hash] for one in samples])

    def embed(self, values: Sequence[Value]) -> UnitVectors:
        """Embed values that are not decoded yet."""
        return self.encode([to_sample(value, self.modality) for value in values])


@dataclass(frozen=True, slots=True)
class Material:
    """Samples, their vectors, and the rows of each class that is large enough."""

    encoder: Remembering
    samples: Sequence[Sample] = field(repr=False)
    vectors: UnitVectors = field(repr=False)
    classes: dict[str, Rows] = field(repr=False)

    @classmethod
    def read(
        cls,
        sources: Sequence[Any],
        labels: Sequence[str],
        encoder: Any,
        workspace: Workspace,
        seed: int,
        tell: Callable[[str, int, int], None],
    ) -> Material:
        """Choose, decode and embed; what cannot be read is left out.

        Raises:
            InvalidOptionError: vectors or recordings.
            TooFewSupportsError: fewer than three classes.
        """
        if len(sources) != len(labels) or not len(sources):
            raise InvalidOptionError(f"there are {len(sources)} samples and {len(labels)} labels")
        modality = _modality(sources[0])
        found = workspace.shelf.given(encoder or workspace.settings.encoder_for(modality), modality)
        remembering = Remembering(found)
        chosen = _chosen(labels, np.random.default_rng([seed, 0]))
        samples, names = _decoded(
            [sources[row] for row in chosen], [labels[r] for r in chosen], modality
        )
        rows = {name: np.flatnonzero(np.array(names) == name) for name in dict.fromkeys(names)}
        if len(rows) < _FEWEST_CLASSES:
            raise TooFewSupportsError(
                f"there are {len(rows)} classes that can be read; attacks need {_FEWEST_CLASSES}"
            )
        vectors = []
        for start in range(0, len(samples), _BATCH):
            vectors.append(remembering.encode(samples[start : start + _BATCH]))
            tell("embed", min(start + _BATCH, len(samples)), len(samples))
        return cls(remembering, samples, np.concatenate(vectors), rows)

    def scene(self, n_way: int, n_shot: int, rng: np.random.Generator) -> Scene:
        """Draw classes, what is taught of them, what is asked, and what the attacker has.

        Raises:
            TooFewSupportsError: too few classes hold `n_shot` samples and some to ask and attack.
        """
        able = [name for name, rows in self.classes.items() if len(rows) >= n_shot + _FEWEST_LEFT]
        if len(able) < n_way:
            raise TooFewSupportsError(
                f"{len(able)} classes hold {n_shot + _FEWEST_LEFT} samples or more; {n_way} are "
                "needed: choose fewer classes (n_way) or examples"
            )
        names = [able[i] for i in rng.choice(len(able), n_way, replace=False)]
        shuffled = [rng.permutation(self.classes[name]) for name in names]
        cuts = [n_shot + max(2, int(_ASKED_SHARE * (len(rows) - n_shot))) for rows in shuffled]
        others = [rows for name, rows in self.classes.items() if name not in names]
        return Scene(
            [sample.value for sample in self.samples],  # type: ignore[misc]
            self.vectors,
            tuple(names),
            tuple(rows[:n_shot] for rows in shuffled),
            tuple(rows[n_shot:cut] for rows, cut in zip(shuffled, cuts, strict=True)),
            tuple(rows[cut:] for rows, cut in zip(shuffled, cuts, strict=True)),
            np.concatenate(others) if others else np.zeros(0, np.intp),
            self.encoder.embed,
        )


def _modality(first: Any) -> Modality:
    if isinstance(first, np.ndarray) and first.ndim == 1:
        raise InvalidOptionError("attacks are made of texts and pictures, not of vectors")
    modality: Modality = "text" if isinstance(first, str) else guess_modality(first)
    if modality == "audio":
        raise InvalidOptionError("attacks are made of texts and pictures, not of recordings yet")
    return modality


def _chosen(labels: Sequence[str], rng: np.random.Generator) -> list[int]:
    """Rows of up to so many classes, the largest among those in random order first."""
    rows: dict[str, list[int]] = {}
    for row in rng.permutation(len(labels)).tolist():
        rows.setdefault(labels[row], []).append(row)
    largest = sorted(rows, key=lambda name: -min(len(rows[name]), _MOST_EACH))
    return [row for name in largest[:_MOST_CLASSES] for row in rows[name][:_MOST_EACH]]


def _decoded(
    sources: Sequence[Any], labels: Sequence[str], modality: Modality
) -> tuple[list[Sample], list[str]]:
    """Samples that can be read, each content once, and their labels."""
    samples: dict[str, tuple[Sample, str]] = {}
    for source, label in zip(sources, labels, strict=True):
        try:
            sample = _reduced(to_sample(source, modality))
        except InvalidInputError:
            continue
        samples.setdefault(sample.content_hash, (sample, label))
    return [one for one, _ in samples.values()], [label for _, label in samples.values()]


def _reduced(sample: Sample) -> Sample:
    """Large pictures made smaller: attacks on them cost by the pixel."""
    if isinstance(sample.value, np.ndarray) and max(sample.value.shape[:2]) > _LONGEST_PX:
        step = -(-max(sample.value.shape[:2]) // _LONGEST_PX)
        return to_sample(np.ascontiguousarray(sample.value[::step, ::step]), "image")
    return sample
