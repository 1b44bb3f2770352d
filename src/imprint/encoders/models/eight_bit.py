"""Write the 8-bit twin of an image network: convolutions in int8, everything after in fp32.

Static quantization: the range of every activation is set beforehand from sample pictures, so one
picture's vector never depends on another and nothing is measured while answering.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    import numpy.typing as npt

# Residual sums too, or every block would go to fp32 and back between its convolutions.
QUANTIZED = ("Conv", "Add", "Relu")


class _Calibration:
    """Hands the runtime one input after another, then None."""

    def __init__(self, inputs: Iterable[npt.NDArray[np.generic]], name: str) -> None:
        self._inputs: Iterator[npt.NDArray[np.generic]] = iter(inputs)
        self._name = name

    def get_next(self) -> dict[str, Any] | None:
        """The next input by its name in the graph."""
        found = next(self._inputs, None)
        return None if found is None else {self._name: found}


def write_eight_bit(
    source: Path,
    target: Path,
    inputs: Iterable[npt.NDArray[np.generic]],
    *,
    keep: Iterable[str] = (),
) -> None:
    """Quantize the convolutions of `source` (fp32 weights) to int8, per output channel.

    `inputs` are pictures in the network's own layout, none from a test split. `keep` names nodes
    that stay in fp32.
    """
    import onnx
    from onnxruntime.quantization import (
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    network = onnx.load(str(source))
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.onnx"
        quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
        quantize_static(
            str(ready),
            str(target),
            _Calibration(inputs, network.graph.input[0].name),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTIZED),
            nodes_to_exclude=list(keep),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
