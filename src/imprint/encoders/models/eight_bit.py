"""Write the 8-bit twin of a network: convolutions or, in transformers, products in int8.

Convolutions are quantized statically: the range of every activation is set beforehand from sample
pictures, so one picture's vector never depends on another and nothing is measured while answering.
Transformers are quantized dynamically: their activations differ too much from input to input, and
an encoder runs every sample alone anyway.
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
PRODUCTS = ("MatMul", "Gemm", "Attention")


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
    operators: Iterable[str] = QUANTIZED,
) -> None:
    """Quantize the convolutions of `source` (fp32 weights) to int8, per output channel.

    `inputs` are pictures in the network's own layout, none from a test split. `keep` names nodes
    that stay in fp32, `operators` the kinds of nodes that do not.
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
            op_types_to_quantize=list(operators),
            nodes_to_exclude=list(keep),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )


def write_eight_bit_products(source: Path, target: Path) -> None:
    """Quantize the matrix products of a transformer to int8 weights; activations as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        str(source),
        str(target),
        op_types_to_quantize=list(PRODUCTS),
        per_channel=True,
        weight_type=QuantType.QInt8,
    )


def has_convolutions(path: Path) -> bool:
    """Whether a network is made of convolutions; patches of a vision transformer are one alone."""
    import onnx

    kinds = [node.op_type for node in onnx.load(str(path)).graph.node]
    return kinds.count("Conv") > 1


def thin_convolutions(path: Path) -> tuple[str, ...]:
    """Convolutions of at most three input channels: in int8 they were measured slower than fp32."""
    import onnx

    graph = onnx.load(str(path)).graph
    shapes = {one.name: tuple(one.dims) for one in graph.initializer}
    found = [node for node in graph.node if node.op_type == "Conv"]
    return tuple(node.name for node in found if shapes.get(node.input[1], (0, 9))[1] <= 3)
