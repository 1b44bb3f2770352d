"""How loose are the classes? Guessed from where their supports lie among everyday samples.

One support per class says nothing of how far its class reaches. But a sample that lies amid the
everyday ones has little of its own, and a class it stands for is a loose topic more often than not;
one that stands apart is of a class that holds together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from imprint.heads.supports import SupportSet
    from imprint.types import UnitVectors

# Log-sharpness lost per standard deviation of the bank's cosines, from where on, and how much at
# most: of eight sets and two encoders one (dialogue turns, whose topic is not in the words) is
# looser than this tells.
_SLOPE, _FROM, _LEAST_SHARP = 2.0, -0.2, 0.4
# Cosine of two samples where there is no bank to measure it on: mean and standard deviation.
_USUAL_COSINE: Final = (0.12, 0.13)
_LEAST_BANK, _MEASURED = 50, 200


def usual_cosine(bank: UnitVectors | None) -> tuple[float, float]:
    """Mean and standard deviation of the cosine of two samples of a bank."""
    if bank is None or len(bank) < _LEAST_BANK:
        return _USUAL_COSINE
    some = bank[:: max(1, len(bank) // _MEASURED)]
    pairs = (some @ some.T)[np.triu_indices(len(some), 1)]
    return float(pairs.mean()), float(pairs.std())


def tightness(supports: SupportSet, bank: UnitVectors | None) -> float:
    """Share of the usual sharpness that these supports' classes deserve: 0.4 .. 1."""
    if bank is None or len(bank) < _LEAST_BANK or not supports.n_way:
        return 1.0
    mean, swing = usual_cosine(bank)
    total = np.sum(supports.sums, axis=0) / float(supports.counts.sum())
    amid = (float(total @ bank.mean(axis=0)) - mean) / max(swing, 1e-6)
    return float(np.exp(np.clip(-_SLOPE * (amid - _FROM), np.log(_LEAST_SHARP), 0.0)))
