"""The shipped image encoder and any other ONNX network with a card keep the encoder's promises."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import get_args

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageDraw

from imprint.encoders.image import SHIPPED_8_BIT, ImageEncoder, image_version, read_card
from imprint.encoders.pixels import PixelRecipe, View, border_color, prepared, squared
from imprint.encoders.protocol import Encoder
from imprint.errors import InvalidOptionError, ModalityMismatchError, ModelHashError
from imprint.intake.decode import to_sample


@pytest.fixture(scope="module")
def shipped():
    return ImageEncoder.shipped()


def pictures(n, seed=0):
    rng = np.random.default_rng(seed)
    for i in range(n):
        size = (40 + 13 * (i % 7), 30 + 11 * (i % 5))
        coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        yield to_sample(coarse.resize(size, Image.Resampling.BICUBIC), "image")


def symbol(points, *, ink=(0, 0, 0), paper=(255, 255, 255), turn=0.0, width=6):
    """A drawn polyline; the corners name the class, the rest is how it was drawn."""
    sheet = Image.new("RGB", (120, 120), paper)
    ImageDraw.Draw(sheet).line(points, fill=ink, width=width, joint="curve")
    return to_sample(sheet.rotate(turn, fillcolor=paper), "image")


def linear_model(path, side, dim, *, layout="float32_nchw", tokens=None, seed=0):
    """A network of one matrix, so numpy can say what it must give."""
    rng = np.random.default_rng(seed)
    out = dim * (tokens or 1)
    weights = rng.normal(size=(side * side * 3, out)).astype(np.float32)
    float_in = layout == "float32_nchw"
    kind = TensorProto.FLOAT if float_in else TensorProto.UINT8
    shape = ["n", 3, side, side] if float_in else ["n", side, side, 3]
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["f"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "w"], ["y" if tokens is None else "z"]),
    ]
    constants = [numpy_helper.from_array(weights, "w")]
    result = ["n", dim]
    if tokens is not None:
        constants.append(numpy_helper.from_array(np.array([-1, tokens, dim]), "shape"))
        nodes.append(helper.make_node("Reshape", ["z", "shape"], ["y"]))
        result = ["n", tokens, dim]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, result)],
        constants,
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return weights


def test_the_shipped_encoder_is_small_and_states_its_version(shipped):
    assert isinstance(shipped, Encoder)
    assert shipped.name == "image-small"
    name, _, digest = shipped.version.partition("@")
    assert name == "image-small"
    assert len(digest) == 16
    assert int(digest, 16) >= 0
    assert shipped._path.stat().st_size <= 6_000_000
    assert {"learnt_from", "recipe", "never_seen", "license", "figures"} <= set(shipped.card)


def test_vectors_are_finite_unit_rows(shipped):
    vectors = shipped.encode(list(pictures(9)))
    assert vectors.shape == (9, shipped.dim)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert shipped.encode([]).shape == (0, shipped.dim)


def test_a_picture_has_the_same_bits_whatever_else_is_in_the_call(shipped):
    samples = list(pictures(11))
    together = shipped.encode(samples)
    alone = np.concatenate([shipped.encode([one]) for one in samples])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(shipped.encode(samples[::-1]), together[::-1])
    np.testing.assert_array_equal(ImageEncoder.shipped().encode(samples), together)


def test_many_threads_may_ask_at_once(shipped):
    samples = list(pictures(6))
    expected = shipped.encode(samples)
    with ThreadPoolExecutor(4) as threads:
        for vectors in threads.map(lambda _: shipped.encode(samples), range(8)):
            np.testing.assert_array_equal(vectors, expected)


def test_blank_pictures_still_have_a_direction(shipped):
    for shade in (0, 128, 255):
        blank = to_sample(np.full((30, 50, 3), shade, np.uint8), "image")
        assert np.isfinite(shipped.encode([blank])).all()


def test_drawn_symbols_are_told_apart_after_one_example_in_either_polarity(shipped):
    shapes = {
        "zigzag": [(20, 20), (95, 30), (25, 80), (100, 100)],
        "roof": [(15, 90), (60, 20), (105, 90)],
        "box": [(25, 25), (95, 25), (95, 95), (25, 95), (25, 25)],
        "cross": [(20, 60), (100, 60), (60, 60), (60, 20), (60, 105)],
        "hook": [(35, 15), (35, 90), (85, 90), (85, 60)],
    }
    taught = shipped.encode([symbol(points) for points in shapes.values()])
    right = 0
    for turn in (-9, 7):
        asked = shipped.encode([symbol(p, turn=turn, width=8) for p in shapes.values()])
        right += int(((asked @ taught.T).argmax(axis=1) == np.arange(5)).sum())
    assert right >= 9
    white = {"ink": (250, 250, 250), "paper": (20, 20, 20)}
    taught = shipped.encode([symbol(p, **white) for p in shapes.values()])
    asked = shipped.encode([symbol(p, turn=6, **white) for p in shapes.values()])
    assert ((asked @ taught.T).argmax(axis=1) == np.arange(5)).sum() >= 4


def test_the_background_bank_is_unit_rows_of_the_same_width(shipped):
    bank = shipped.background
    assert bank is not None
    assert bank.dtype == np.float32
    assert bank.shape[1] == shipped.dim
    assert len(bank) >= 900
    np.testing.assert_allclose(np.linalg.norm(bank, axis=1), 1.0, atol=1e-5)
    assert shipped.background is bank


def test_the_bank_was_made_by_the_encoder_it_ships_with(shipped):
    from safetensors import safe_open

    path = shipped._path.parents[1] / "banks" / "image-small.safetensors"
    assert path.stat().st_size < 700_000
    with safe_open(path, framework="numpy") as bank:
        assert bank.metadata()["encoder"] == shipped.version


def test_the_8_bit_twin_is_close_to_it_and_never_taken_for_it(shipped):
    twin = ImageEncoder.shipped(SHIPPED_8_BIT)
    assert twin.name == "image-small-int8"
    assert twin.dim == shipped.dim
    assert twin.version.partition("@")[2] != shipped.version.partition("@")[2]
    assert twin._path.stat().st_size <= 4_000_000
    samples = list(pictures(6))
    close = (twin.encode(samples) * shipped.encode(samples)).sum(axis=1)
    assert close.min() > 0.9
    np.testing.assert_array_equal(twin.background, shipped.background)


def test_text_is_refused(shipped):
    with pytest.raises(ModalityMismatchError):
        shipped.encode([to_sample("hello", "text")])


def test_any_network_with_a_card_gives_what_numpy_gives(tmp_path):
    weights = linear_model(tmp_path / "m.onnx", 16, 12)
    preprocessing = {"side_px": 16, "mean": [0.5] * 3, "spread": [0.2] * 3}
    card = {"name": "mine", "preprocessing": preprocessing}
    encoder = ImageEncoder(tmp_path / "m.onnx", card)
    sample = next(iter(pictures(1)))
    expected = squared(sample.value, "crop", encoder.recipe).astype(np.float64) / 255
    row = ((expected - 0.5) / 0.2).transpose(2, 0, 1).reshape(-1) @ weights
    assert encoder.dim == 12
    assert encoder.background is None
    found = encoder.encode([sample])[0]
    np.testing.assert_allclose(found, row / np.linalg.norm(row), atol=1e-4)


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_token_outputs_are_pooled_as_the_card_says(tmp_path, pooling):
    weights = linear_model(tmp_path / "m.onnx", 16, 6, layout="uint8_nhwc", tokens=3)
    card = {
        "name": "tokens",
        "preprocessing": {"side_px": 16, "layout": "uint8_nhwc", "pooling": pooling},
    }
    encoder = ImageEncoder(tmp_path / "m.onnx", card)
    sample = next(iter(pictures(1)))
    flat = squared(sample.value, "crop", encoder.recipe).astype(np.float64).reshape(-1)
    tokens = (flat @ weights).reshape(3, 6)
    row = tokens[0] if pooling == "first" else tokens.mean(axis=0)
    np.testing.assert_allclose(encoder.encode([sample])[0], row / np.linalg.norm(row), atol=1e-4)


def test_the_version_follows_weights_and_preprocessing_but_not_the_story(tmp_path):
    linear_model(tmp_path / "a.onnx", 16, 4)
    linear_model(tmp_path / "b.onnx", 16, 4, seed=1)
    card = {"name": "mine", "preprocessing": {"side_px": 16}}
    version = image_version(tmp_path / "a.onnx", card)
    assert image_version(tmp_path / "a.onnx", {**card, "figures": {"x": 1}}) == version
    spelled = {"name": "mine", "preprocessing": {"side_px": 16, "views": ["crop"]}}
    assert image_version(tmp_path / "a.onnx", spelled) == version
    assert image_version(tmp_path / "b.onnx", card) != version
    other = {"name": "mine", "preprocessing": {"side_px": 16, "views": ["pad"]}}
    assert image_version(tmp_path / "a.onnx", other) != version


def test_a_file_that_does_not_have_its_cards_hash_is_refused(tmp_path):
    linear_model(tmp_path / "m.onnx", 16, 4)
    card = {"name": "mine", "preprocessing": {"side_px": 16}, "sha256": "0" * 64}
    with pytest.raises(ModelHashError, match="damaged or another"):
        ImageEncoder(tmp_path / "m.onnx", card)
    with pytest.raises(ModelHashError, match="missing"):
        ImageEncoder(tmp_path / "absent.onnx", card)


def test_files_that_are_no_network_or_do_not_fit_their_card_are_refused(tmp_path):
    sample = next(iter(pictures(1)))
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    card = {"name": "mine", "preprocessing": {"side_px": 16}}
    with pytest.raises(ModelHashError, match="cannot open"):
        ImageEncoder(tmp_path / "junk.onnx", card).encode([sample])
    linear_model(tmp_path / "m.onnx", 16, 4)
    card = {"name": "mine", "preprocessing": {"side_px": 32}}
    with pytest.raises(ModelHashError, match="does not fit"):
        ImageEncoder(tmp_path / "m.onnx", card).encode([sample])


@pytest.mark.parametrize(
    "preprocessing",
    [
        {},
        {"side_px": 3},
        {"side_px": 5000},
        {"side_px": 64, "views": []},
        {"side_px": 64, "views": ["whole"]},
        {"side_px": 64, "layout": "nhwc"},
        {"side_px": 64, "spread": [0, 1, 1]},
        {"side_px": 64, "speed": 1},
    ],
)
def test_cards_that_make_no_sense_are_refused(tmp_path, preprocessing):
    linear_model(tmp_path / "m.onnx", 16, 4)
    with pytest.raises(InvalidOptionError):
        ImageEncoder(tmp_path / "m.onnx", {"name": "mine", "preprocessing": preprocessing})


def test_a_card_is_read_from_json(tmp_path):
    path = tmp_path / "card.json"
    path.write_text(json.dumps({"name": "x"}))
    assert read_card(path) == {"name": "x"}
    for content in ("[]", "{"):
        path.write_text(content)
        with pytest.raises(InvalidOptionError):
            read_card(path)
    with pytest.raises(InvalidOptionError):
        ImageEncoder(path, {"preprocessing": {"side_px": 16}})


def test_views_show_what_they_say():
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, :20] = 255  # only the left quarter is white: outside the middle square
    recipe = PixelRecipe(40, views=get_args(View), layout="uint8_nhwc")
    crop, stretch, pad, zoom, *_ = (view[0] for view in prepared(pixels, recipe))
    assert crop.max() < 30
    assert zoom.max() == 0
    assert stretch[:, :8].min() > 200
    assert pad.shape == (40, 40, 3)
    assert border_color(pixels) == (0, 0, 0)
    assert (pad[0] == 0).all()
    assert (
        len(prepared(pixels[:, :40], recipe)) == 4
    )  # without stretch and pad: the picture is square
    dot = np.zeros((40, 40, 3), np.uint8)
    dot[10:30, 10:30] = 255
    shares = [(squared(dot, v, recipe) > 127).mean() for v in ("crop", "inner", "zoom", "close")]
    np.testing.assert_allclose(shares, 0.25 / np.square([1.0, 0.875, 0.8, 0.65]), rtol=0.1)
