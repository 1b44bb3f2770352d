"""Writes the ONNX graph of a BERT-style sentence encoder straight from its weights, without torch.

Token numbers (1, n_tokens) go in, one unit vector (1, hidden) comes out: embeddings, layers,
pooling and normalization are all in the graph. A text is always run alone, so there is no padding
and no mask. Fused operators of ONNX Runtime are named directly, so the graph needs no optimizer and
loads in milliseconds. Weights lie in a second file that the runtime maps into memory: rows of
the word table that are never looked up never take memory.

Variants: "fp32", and "int8", in which every linear layer multiplies 8-bit signed weights (one scale
per output channel) with activations quantized on the fly, and the word table holds 8-bit rows
with a scale each. Two steps keep int8 close to fp32 at no measurable cost: channels that layer norm
makes large hand part of their size to the weights (after SmoothQuant, Xiao et al. 2023, but from
the norm's own gain instead of calibration texts, and in powers of two, so that it is exact and the
same on every machine), and in the feed-forward layers each token is scaled to its own largest
value first, so that one loud token does not cost the others their precision.
Figures: docs/measurements/text-encoder.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

from imprint.errors import InvalidOptionError

if TYPE_CHECKING:
    from pathlib import Path

    from imprint.encoders.weights.bert_folder import BertShape

Variant = Literal["fp32", "int8"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
# Named in the encoder's version: another way to quantize is another version.
ARITHMETIC: dict[Variant, str] = {"fp32": "fp32.v1", "int8": "int8.s8-channel.u8-row.smooth.v1"}

GRAPH = "graph.onnx"
TENSORS = "tensors.bin"
INPUT = "token_numbers"
OUTPUT = "vector"

_FUSED = "com.microsoft"
_OPSET = 18
_IR_VERSION = 9  # oldest that holds the operators; newer runtimes read it, older ones too
_PAGE_BYTES = 4096  # tensors start on a page so that each can be mapped alone
_INLINE_BYTES = 1024
_SMOOTHING = 0.7  # share of a channel's size that moves to the weights; flat from 0.7 to 1.0

Array = npt.NDArray[Any]


class Weights(Protocol):
    """Gives a tensor by its name in the safetensors file."""

    def __call__(self, name: str) -> Array:
        """Return it as fp32."""
        ...


class _Graph:
    """Collects nodes and constants; constants go to the tensor file as they come."""

    def __init__(self, folder: Path) -> None:
        from onnx import helper

        self._helper = helper
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._tensors = (folder / TENSORS).open("wb")
        self._graph_file = folder / GRAPH

    def constant(self, array: Array) -> str:
        """Add a constant; return its name."""
        from onnx import TensorProto

        name = f"c{len(self._constants)}"
        array = np.asarray(array, order="C")  # ascontiguousarray would make a scalar a row
        tensor = TensorProto()
        tensor.name = name
        tensor.data_type = self._helper.np_dtype_to_tensor_dtype(array.dtype)
        tensor.dims.extend(array.shape)
        if array.nbytes <= _INLINE_BYTES:
            tensor.raw_data = array.tobytes()
        else:
            self._tensors.seek(-(-self._tensors.tell() // _PAGE_BYTES) * _PAGE_BYTES)
            tensor.data_location = TensorProto.EXTERNAL
            place = {
                "location": TENSORS,
                "offset": self._tensors.tell(),
                "length": array.nbytes,
            }
            for key, value in place.items():
                entry = tensor.external_data.add()
                entry.key, entry.value = key, str(value)
            self._tensors.write(array.tobytes())
        self._constants.append(tensor)
        return name

    def node(self, kind: str, *inputs: str, fused: bool = False, **attributes: Any) -> str:
        """Add an operator with one output; return the output's name."""
        return self.nodes(kind, *inputs, n_outputs=1, fused=fused, **attributes)[0]

    def nodes(
        self, kind: str, *inputs: str, n_outputs: int, fused: bool = False, **attributes: Any
    ) -> list[str]:
        """Add an operator; return its outputs' names."""
        number = len(self._nodes)
        outputs = [f"n{number}.{i}" for i in range(n_outputs)]
        domain = _FUSED if fused else ""
        self._nodes.append(
            self._helper.make_node(
                kind, list(inputs), outputs, name=f"n{number}.{kind}", domain=domain, **attributes
            )
        )
        return outputs

    def finish(self, last: str, width: int) -> None:
        """Write the graph file, whose output is the node output `last`."""
        from onnx import TensorProto

        helper = self._helper
        self._nodes.append(helper.make_node("Identity", [last], [OUTPUT], name="output"))
        graph = helper.make_graph(
            self._nodes,
            "bert",
            [helper.make_tensor_value_info(INPUT, TensorProto.INT64, [1, "n_tokens"])],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [1, width])],
            self._constants,
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_FUSED, 1)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="imprint"
        )
        self._graph_file.write_bytes(model.SerializeToString())

    def close(self) -> None:
        """Close the tensor file."""
        self._tensors.close()


class _Float:
    """Linear layers and lookups in fp32."""

    def __init__(self, graph: _Graph) -> None:
        self._graph = graph

    def lookup(self, table: Array, numbers: str) -> str:
        return self._graph.node("Gather", self._graph.constant(table), numbers)

    def linear(self, x: str, weight: Array, norm: Array | None = None) -> str:
        del norm
        return self._graph.node("MatMul", x, self._graph.constant(weight))

    def wide(self, x: str, weight: Array, norm: Array | None = None) -> str:
        return self.linear(x, weight, norm)

    def attention(self, x: str, weight: Array, bias: Array, n_heads: int, norm: Array) -> str:
        del norm
        graph = self._graph
        constants = (graph.constant(weight), graph.constant(bias))
        return graph.node("Attention", x, *constants, fused=True, num_heads=n_heads)


class _Int8:
    """The same in 8 bits: rows of the table and columns of the weights have a scale each.

    `norm` is the size each input channel is expected to have (see `_sizes`), where known.
    """

    def __init__(self, graph: _Graph) -> None:
        self._graph = graph

    def lookup(self, table: Array, numbers: str) -> str:
        from onnx import TensorProto

        graph = self._graph
        rows, scales = _quantized(table, axis=1)
        taken = graph.node("Gather", graph.constant(rows), numbers)
        scale = graph.node("Gather", graph.constant(scales), numbers)
        return graph.node("Mul", graph.node("Cast", taken, to=TensorProto.FLOAT), scale)

    def linear(self, x: str, weight: Array, norm: Array | None = None) -> str:
        x, weight = self._smoothed(x, weight, norm)
        return self._graph.node("DynamicQuantizeMatMul", x, *self._columns(weight), fused=True)

    def wide(self, x: str, weight: Array, norm: Array | None = None) -> str:
        """Feed-forward layer: each token is scaled to its own largest value and back."""
        graph = self._graph
        x, weight = self._smoothed(x, weight, norm)
        along = graph.constant(np.array([-1], dtype=np.int64))
        largest = graph.node("ReduceMax", graph.node("Abs", x), along, keepdims=1)
        largest = graph.node("Max", largest, graph.constant(np.array([1e-12], dtype=np.float32)))
        product = self.linear(graph.node("Div", x, largest), weight)
        return graph.node("Mul", product, largest)

    def attention(self, x: str, weight: Array, bias: Array, n_heads: int, norm: Array) -> str:
        graph = self._graph
        x, weight = self._smoothed(x, weight, norm)
        quantized, scale, zero = graph.nodes("DynamicQuantizeLinear", x, n_outputs=3)
        columns, column_scales, column_zeros = self._columns(weight)
        return graph.node(
            "QAttention",
            *(quantized, columns, graph.constant(bias), scale, column_scales),
            *("", zero, column_zeros),
            fused=True,
            num_heads=n_heads,
        )

    def _smoothed(self, x: str, weight: Array, norm: Array | None) -> tuple[str, Array]:
        if norm is None:
            return x, weight
        columns = np.maximum(np.abs(weight).max(axis=1), 1e-6)
        steps = _SMOOTHING * np.log2(norm) - (1 - _SMOOTHING) * np.log2(columns)
        factors = np.exp2(np.rint(steps)).astype(np.float32)
        scaled = self._graph.node("Mul", x, self._graph.constant(1 / factors))
        return scaled, weight * factors[:, None]

    def _columns(self, weight: Array) -> tuple[str, str, str]:
        columns, scales = _quantized(weight, axis=0)
        graph = self._graph
        zeros = np.zeros(len(scales[0]), dtype=np.int8)
        return graph.constant(columns), graph.constant(scales[0]), graph.constant(zeros)


def _quantized(weight: Array, axis: int) -> tuple[Array, Array]:
    """Round to -127..127 with the scale that fits the largest entry along `axis`."""
    scales = np.abs(weight).max(axis=axis, keepdims=True) / np.float32(127)
    scales[scales == 0] = 1
    return np.clip(np.rint(weight / scales), -127, 127).astype(np.int8), scales


def _sizes(weights: Weights, prefix: str) -> Array:
    """Size to expect of each channel after a layer norm: three deviations off its middle."""
    gain, middle = weights(f"{prefix}LayerNorm.weight"), weights(f"{prefix}LayerNorm.bias")
    sizes: Array = np.maximum(3 * np.abs(gain) + np.abs(middle), 1e-6)
    return sizes


@dataclass(frozen=True, slots=True)
class _Builder:
    """Writes one network: its graph, arithmetic, weights and shape."""

    graph: _Graph
    arithmetic: _Float | _Int8
    weights: Weights
    shape: BertShape

    def embedded(self) -> str:
        """Sum of word and position rows, normed."""
        graph, weights = self.graph, self.weights
        words = self.arithmetic.lookup(weights("embeddings.word_embeddings.weight"), INPUT)
        # One sentence at a time: token type 0 throughout, so its row joins the positions.
        first, n_positions = self.shape.first_position, self.shape.max_tokens
        positions = weights("embeddings.position_embeddings.weight")[first : first + n_positions]
        positions = positions + weights("embeddings.token_type_embeddings.weight")[0]
        zero = graph.constant(np.zeros(1, dtype=np.int64))
        n_tokens = graph.node("Shape", INPUT, start=1, end=2)
        placed = graph.node("Slice", graph.constant(positions), zero, n_tokens, zero)
        return graph.node(
            "LayerNormalization",
            graph.node("Add", words, placed),
            graph.constant(weights("embeddings.LayerNorm.weight")),
            graph.constant(weights("embeddings.LayerNorm.bias")),
            axis=-1,
            epsilon=self.shape.epsilon,
        )

    def layer(self, x: str, prefix: str, normed_by: str) -> str:
        """One transformer layer; `normed_by` names the layer norm its input came through."""
        weights, arithmetic = self.weights, self.arithmetic
        parts = [f"{prefix}attention.self.{name}" for name in ("query", "key", "value")]
        weight = np.concatenate([weights(f"{part}.weight") for part in parts]).T
        bias = np.concatenate([weights(f"{part}.bias") for part in parts])
        norm = _sizes(weights, normed_by)
        attended = arithmetic.attention(x, weight, bias, self.shape.n_heads, norm)
        output = f"{prefix}attention.output."
        product = arithmetic.linear(attended, weights(f"{output}dense.weight").T)
        x = self._added(product, x, output)
        weight = weights(f"{prefix}intermediate.dense.weight").T
        wide = arithmetic.wide(x, weight, _sizes(weights, output))
        wide = self._activated(wide, weights(f"{prefix}intermediate.dense.bias"))
        output = f"{prefix}output."
        return self._added(arithmetic.wide(wide, weights(f"{output}dense.weight").T), x, output)

    def pooled(self, x: str) -> str:
        """One unit vector of the token vectors."""
        graph = self.graph
        along = graph.constant(np.ones(1, dtype=np.int64))
        if self.shape.pooling == "cls":
            pooled = graph.node("Gather", x, graph.constant(np.zeros((), dtype=np.int64)), axis=1)
        else:
            pooled = graph.node("ReduceMean", x, along, keepdims=0)
        return graph.node("Div", pooled, graph.node("ReduceL2", pooled, along, keepdims=1))

    def _activated(self, x: str, bias: Array) -> str:
        graph = self.graph
        if self.shape.activation == "gelu":
            return graph.node("BiasGelu", x, graph.constant(bias), fused=True)
        return graph.node("Relu", graph.node("Add", x, graph.constant(bias)))

    def _added(self, product: str, x: str, prefix: str) -> str:
        """Bias, residual and layer norm in one operator."""
        names = ("LayerNorm.weight", "LayerNorm.bias", "dense.bias")
        constants = [self.graph.constant(self.weights(prefix + name)) for name in names]
        epsilon = self.shape.epsilon
        return self.graph.node(
            "SkipLayerNormalization", product, x, *constants, fused=True, epsilon=epsilon
        )


def write_graph(folder: Path, weights: Weights, shape: BertShape, variant: Variant) -> None:
    """Write graph.onnx and tensors.bin of one variant into `folder`.

    Raises:
        InvalidOptionError: the weights lack a tensor the configuration asks for.
    """
    graph = _Graph(folder)
    arithmetic = _Float(graph) if variant == "fp32" else _Int8(graph)
    builder = _Builder(graph, arithmetic, weights, shape)
    try:
        x = builder.embedded()
        normed_by = "embeddings."
        for number in range(shape.n_layers):
            prefix = f"encoder.layer.{number}."
            x = builder.layer(x, prefix, normed_by)
            normed_by = f"{prefix}output."
        graph.finish(builder.pooled(x), shape.hidden)
    except KeyError as error:
        raise InvalidOptionError(
            f"the weights hold no tensor named {error}; is this a BERT-style model?"
        ) from error
    finally:
        graph.close()
