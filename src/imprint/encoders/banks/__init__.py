"""Background banks: vectors of everyday samples of no class, shipped beside the code.

Open-set thresholds are set against them. A bank belongs to a family of encoders: the fp32 and the
int8 variant of one network share it: their vectors of one text are closer than 0.99 in cosine, of
one picture 0.98 on average.
Built by tools/build_text_bank.py; each file's metadata names its texts' sources and licences.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imprint.vectors import unit

if TYPE_CHECKING:
    from imprint.types import UnitVectors


def read_bank(family: str) -> UnitVectors | None:
    """Return the bank of a family, (n, dim) unit rows, or None where none ships."""
    path = Path(__file__).parent / f"{family}.safetensors"
    if not path.is_file():
        return None
    from safetensors.numpy import load_file

    tensors = load_file(path)
    return unit(tensors["vectors"].astype(np.float32))


def read_screening(name: str) -> dict[str, Any] | None:
    """Return the screening card of the family an encoder belongs to, or None where none ships.

    What it means is said in `imprint.intake.screen.yardstick`; tools/build_screening_card.py
    measures it.
    """
    folder, family = Path(__file__).parent, name
    while family:
        path = folder / f"{family}.screening.json"
        if path.is_file():
            card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return card
        family = family.rpartition("-")[0]
    return None
