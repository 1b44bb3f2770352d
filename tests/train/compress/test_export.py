"""Exported files: the same vectors as torch, a card that fits, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from imprint.encoders.catalogue import add
from imprint.errors import InvalidOptionError, ModelHashError
from imprint.train.backbones import make_backbone
from imprint.train.compress.export import Served, Story, export, opened, probe_pictures, sample_of

pytestmark = pytest.mark.train

STORY = Story("net", "MIT", "a test")


def served_of(n_channels=3, *, inverted=False):
    torch.manual_seed(0)
    return Served(make_backbone("conv4", n_channels, 32).eval(), inverted=inverted)


@pytest.mark.parametrize(("n_channels", "inverted"), [(3, False), (1, False), (1, True)])
def test_the_file_gives_what_torch_gives(tmp_path, n_channels, inverted):
    path = tmp_path / "net.onnx"
    parity = export(served_of(n_channels, inverted=inverted), path, STORY, probe_pictures())
    assert parity.holds
    assert json.loads((tmp_path / "net.parity.json").read_text())["n_pictures"] == 16


def test_dark_ink_on_light_paper_is_what_light_on_dark_was_in_training(tmp_path):
    drawing = np.zeros((32, 32, 3), np.uint8)
    drawing[8:20, 10:14] = 255
    pair = {}
    for inverted in (False, True):
        path = tmp_path / f"{inverted}.onnx"
        export(served_of(1, inverted=inverted), path, STORY, probe_pictures(2))
        shown = 255 - drawing if inverted else drawing
        pair[inverted] = opened(path).encode([sample_of(shown)])
    assert np.abs(pair[False] - pair[True]).max() < 1e-5


@pytest.mark.parametrize(
    ("field", "value", "error", "said"),
    [
        ("sha256", "0" * 64, ModelHashError, "SHA-256"),
        ("dim", 7, Exception, r"\(1, 256\).*\(1, 7\)|promises"),
        ("output", "answer", InvalidOptionError, "the outputs vector"),
    ],
)
def test_a_card_that_does_not_fit_its_file_is_refused(tmp_path, field, value, error, said):
    path = tmp_path / "net.onnx"
    export(served_of(), path, STORY, probe_pictures(2))
    card = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps({**card, field: value}))
    with pytest.raises(error, match=said):
        add(path, cache_dir=tmp_path / "cache")


def test_another_ending_than_onnx_is_refused(tmp_path):
    with pytest.raises(InvalidOptionError, match=r"\.onnx"):
        export(served_of(), tmp_path / "net.bin", STORY, probe_pictures(2))
