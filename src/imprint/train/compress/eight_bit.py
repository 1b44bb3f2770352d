"""The 8-bit twin of an exported network, and whether it may stay."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from imprint.encoders.models.eight_bit import (
    QUANTIZED,
    has_convolutions,
    thin_convolutions,
    write_eight_bit,
    write_eight_bit_products,
)
from imprint.encoders.onnx_file import OnnxFileEncoder
from imprint.errors import InvalidOptionError
from imprint.train.compress.export import Story, opened, sample_of, write_card

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from imprint.train.compress.table import Row
    from imprint.types import Pixels

# Pooling stays in 8 bits between its neighbors; back and forth to fp32 costs more than it saves.
OPERATORS = (*QUANTIZED, "MaxPool")


def quantize(path: Path, target: Path, pictures: Sequence[Pixels]) -> None:
    """Write the twin of an exported image network and its card.

    Convolutions are quantized statically, calibrated on `pictures` (of training, none of a test
    split); networks without any, transformers, dynamically.

    Raises:
        InvalidOptionError: there is no picture to calibrate with.
    """
    encoder = opened(path)
    card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    if has_convolutions(path):
        if not pictures or not isinstance(encoder, OnnxFileEncoder):
            raise InvalidOptionError("static quantization needs training pictures to calibrate on")
        views = [view for one in pictures for view in encoder.inputs(sample_of(one))]
        given = (inputs[card["input"]] for inputs in views)
        keep = thin_convolutions(path)
        write_eight_bit(path, target, given, keep=keep, operators=OPERATORS)
    else:
        write_eight_bit_products(path, target)
    story = Story(f"{card['name']}-int8", card["license"], f"{card['about']}, 8-bit")
    write_card(target, story, card["dim"], card["preprocessing"])


def judged(plain: Row, light: Row, most_lost_points: float) -> Row:
    """The twin's row with the verdict: kept only if faster and at most so many points worse."""
    lost = 100.0 * (plain.accuracy - light.accuracy)
    faster = light.latency_ms < plain.latency_ms
    reasons = [
        *([] if faster else [f"not faster than {plain.latency_ms:.2f} ms"]),
        *([] if lost <= most_lost_points else [f"lost {lost:.2f} of {most_lost_points:g} points"]),
    ]
    return dataclasses.replace(light, kept=not reasons, note=", ".join(reasons))
