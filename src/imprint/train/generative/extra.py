"""Extra supports: generated from real ones, screened, and marked with what made them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from imprint.train.generative.screening import Screened, ScreenLimits, screened

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imprint.train.generative.generator import Generator, Samples
    from imprint.types import UnitVectors

    Embed = Callable[[Samples], UnitVectors]

ORIGIN = "generated"


class ExtraSupport(NamedTuple):
    """One generated support; `row` is the real one it was made from. Never evidence."""

    label: str
    row: int
    vector: UnitVectors
    sample: Samples
    metadata: dict[str, Any]
    origin: str = ORIGIN


class Extra(NamedTuple):
    """Generated supports that passed, and what screening found of all of them."""

    supports: list[ExtraSupport]
    screened: Screened

    @property
    def labels(self) -> list[str]:
        """Their classes."""
        return [one.label for one in self.supports]

    @property
    def vectors(self) -> list[UnitVectors]:
        """Their vectors."""
        return [one.vector for one in self.supports]


def extra_supports(
    generator: Generator,
    samples: Samples,
    labels: Sequence[str],
    *,
    n_each: int = 5,
    limits: ScreenLimits | None = None,
    embed: Embed | None = None,
    real: tuple[UnitVectors, Sequence[str]] | None = None,
    seed: int = 0,
) -> Extra:
    """Make `n_each` samples of each support's class and keep those that pass the screening.

    `embed` turns samples into unit vectors where the generator makes drawings; generated vectors
    are judged as they are. `real` are the vectors and labels of all real supports to screen by,
    where there are more than those to generate from.

    Raises:
        InvalidOptionError: the samples are of another kind than the generator's.
    """
    made = generator.made(samples, n_each, seed)
    rows = np.repeat(np.arange(len(samples)), n_each)
    wanted = [labels[row] for row in rows.tolist()]
    vectors = made if embed is None else embed(made)
    if real is None:
        real = (samples if embed is None else embed(samples), labels)
    found = screened(vectors, wanted, *real, limits)
    kept = [
        ExtraSupport(
            wanted[i],
            int(rows[i]),
            vectors[i],
            made[i],
            {
                "method": generator.kind,
                "margin": round(float(found.margin[i]), 4),
                "nearest_real": round(float(found.own[i]), 4),
            },
        )
        for i in np.flatnonzero(found.kept).tolist()
    ]
    return Extra(kept, found)
