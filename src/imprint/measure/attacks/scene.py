"""What an attacker works with: a taught collection, samples of his own, and an encoder to ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from imprint.vectors import unit

if TYPE_CHECKING:
    from imprint.types import Modality, Pixels, UnitVectors

    Value = str | Pixels

Embed = Callable[["Sequence[Value]"], "UnitVectors"]
Rows = npt.NDArray[np.intp]
Kind = Literal["known", "new"]

# A hub is a support that captures more than this share of the other classes' queries.
HUB_SHARE = 0.10
NEW_LABEL = "a class of its own"


class Attempt(NamedTuple):
    """One example to be taught under a label, and whether it would do what it is made for."""

    value: Value
    label: str
    effective: bool = True


@dataclass(frozen=True, slots=True)
class Scene:
    """A collection of `labels`, taught with rows `taught[c]` of the material.

    `asked[c]` are queries nobody taught, by which harm is measured; `spare[c]` further samples of
    the classes, which the attacker has. `others` are rows of classes that are not taught.
    """

    values: Sequence[Value] = field(repr=False)
    vectors: UnitVectors = field(repr=False)
    labels: tuple[str, ...]
    taught: tuple[Rows, ...]
    asked: tuple[Rows, ...]
    spare: tuple[Rows, ...]
    others: Rows
    embed: Embed = field(repr=False)

    @property
    def modality(self) -> Modality:
        """Kind of the samples."""
        return "text" if isinstance(self.values[0], str) else "image"

    @property
    def n_way(self) -> int:
        """How many classes are taught."""
        return len(self.labels)

    def prototypes(self) -> UnitVectors:
        """Mean direction of what is taught of each class."""
        return unit(np.stack([self.vectors[rows].mean(axis=0) for rows in self.taught]))

    def captured(self, vectors: UnitVectors, label: str, rows: tuple[Rows, ...]) -> Shares:
        """Share of the other classes' `rows` that each vector would draw to `label`.

        A vector under a taught label moves that class's prototype; under a new one it is its own.
        """
        prototypes = self.prototypes()
        victim = self.labels.index(label) if label in self.labels else -1
        own = np.concatenate([np.full(len(r), c) for c, r in enumerate(rows) if c != victim])
        queries = self.vectors[np.concatenate([r for c, r in enumerate(rows) if c != victim])]
        near_own = (queries * prototypes[own]).sum(axis=1)[:, None]
        if victim < 0:
            return _shares(queries @ vectors.T > near_own)
        n = len(self.taught[victim])
        joined = unit(vectors + n * self.vectors[self.taught[victim]].mean(axis=0))
        was = queries @ prototypes[victim] > near_own[:, 0]
        return _shares((queries @ joined.T > near_own) & ~was[:, None])


Shares = npt.NDArray[np.float64]


def _shares(turned: npt.NDArray[np.bool_]) -> Shares:
    return np.asarray(turned.mean(axis=0), dtype=np.float64)


def one_of(rows: Rows, rng: np.random.Generator) -> int:
    """A row by chance."""
    return int(rows[rng.integers(len(rows))])


def other_than(number: int, n_way: int, rng: np.random.Generator) -> int:
    """A class by chance that is not this one."""
    return int((number + rng.integers(1, n_way)) % n_way)
