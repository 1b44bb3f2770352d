"""8-bit twins: close to their originals, kept only where they pay."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from imprint.errors import InvalidOptionError
from imprint.train.backbones import make_backbone
from imprint.train.compress.eight_bit import judged, quantize
from imprint.train.compress.export import Served, Story, export, opened, probe_pictures, sample_of
from imprint.train.compress.table import Row

pytestmark = pytest.mark.train

PLAIN = Row("whole", 100, 400, 2.0, 0.90, 0.01)


@pytest.mark.parametrize("name", ["conv4", "resnet"])
def test_the_twin_of_a_convolutional_network_is_smaller_and_close(name, tmp_path):
    torch.manual_seed(0)
    path, twin = tmp_path / "net.onnx", tmp_path / "net-int8.onnx"
    pictures = probe_pictures(24)
    export(Served(make_backbone(name, 3, 32).eval()), path, Story("net", "MIT", "a test"), pictures)
    quantize(path, twin, pictures)
    assert twin.stat().st_size < 0.5 * path.stat().st_size
    samples = [sample_of(one) for one in pictures]
    cosines = np.einsum("ij,ij->i", opened(path).encode(samples), opened(twin).encode(samples))
    assert cosines.min() > 0.95
    assert json.loads(twin.with_suffix(".json").read_text())["name"] == "net-int8"


def write_products(folder):
    """An image network of products alone, as a transformer is."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    shapes = {"a": (192, 64), "b": (64, 32)}
    weights = [
        numpy_helper.from_array(rng.normal(0, 0.1, shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    nodes = [
        helper.make_node("Reshape", ["pixels", "flat"], ["x"]),
        helper.make_node("MatMul", ["x", "a"], ["y"]),
        helper.make_node("Relu", ["y"], ["z"]),
        helper.make_node("MatMul", ["z", "b"], ["vector"]),
    ]
    flat = numpy_helper.from_array(np.array([1, 192], np.int64), "flat")
    graph = helper.make_graph(
        nodes,
        "products",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, [1, 32])],
        [*weights, flat],
    )
    path = folder / "products.onnx"
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    path.write_bytes(model.SerializeToString())
    card = {
        "name": "products", "license": "MIT", "about": "a test", "modality": "image",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "input": "pixels",
        "output": "vector", "dim": 32, "preprocessing": {"side_px": 8},
    }  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(card))
    return path


def test_a_network_of_products_is_quantized_without_calibration(tmp_path):
    path, twin = write_products(tmp_path), tmp_path / "twin.onnx"
    quantize(path, twin, [])
    samples = [sample_of(one) for one in probe_pictures(8)]
    cosines = np.einsum("ij,ij->i", opened(path).encode(samples), opened(twin).encode(samples))
    assert cosines.min() > 0.98
    assert twin.stat().st_size < 0.6 * path.stat().st_size


def test_convolutions_without_a_picture_to_calibrate_on_are_refused(tmp_path):
    path = tmp_path / "net.onnx"
    network = make_backbone("conv4", 1, 16).eval()
    export(Served(network), path, Story("net", "MIT", "a test"), probe_pictures(2))
    with pytest.raises(InvalidOptionError, match="calibrate"):
        quantize(path, tmp_path / "twin.onnx", [])


@pytest.mark.parametrize(
    ("latency_ms", "accuracy", "kept", "said"),
    [
        (1.0, 0.895, True, ""),
        (1.0, 0.91, True, ""),
        (2.5, 0.90, False, "not faster than 2.00 ms"),
        (1.0, 0.87, False, "lost 3.00 of 1.5 points"),
    ],
)
def test_a_twin_stays_only_if_faster_and_nearly_as_good(latency_ms, accuracy, kept, said):
    light = judged(PLAIN, Row("int8", 100, 110, latency_ms, accuracy, 0.01), 1.5)
    assert (light.kept, light.note) == (kept, said)
