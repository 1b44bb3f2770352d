"""Channels that go: which, everywhere at once, and what stays the same."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch

from imprint.errors import InvalidOptionError
from imprint.train.backbones import make_backbone
from imprint.train.compress.network import keep_trained, read_trained
from imprint.train.compress.prune import groups_of, pruned

pytestmark = pytest.mark.train


def backbone_of(name, px=32):
    torch.manual_seed(0)
    backbone = make_backbone(name, 3, px)
    for module in backbone.modules():  # as after training: no two channels alike
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.running_mean, 0, 0.1)
    return backbone.eval()


def size_of(network):
    return sum(one.numel() for one in network.parameters())


@pytest.mark.parametrize("name", ["conv4", "resnet"])
@pytest.mark.parametrize("size", [0.75, 0.5, 0.25])
def test_a_pruned_network_is_smaller_and_gives_vectors_of_the_same_width(name, size):
    whole = backbone_of(name)
    smaller = pruned(whole, size)
    assert 0.8 * size < size_of(smaller) / size_of(whole) <= size
    assert smaller(torch.rand(2, 3, 32, 32)).shape == (2, whole.width)


@pytest.mark.parametrize("name", ["conv4", "resnet"])
def test_channels_that_contribute_nothing_go_first_and_change_nothing(name):
    whole = backbone_of(name)
    with torch.no_grad():
        for group in groups_of(whole):
            for maker, norm in group.makers:
                dead = torch.arange(0, maker.out_channels, 2)
                maker.weight[dead] = 0
                if maker.bias is not None:
                    maker.bias[dead] = 0
                for part in ("weight", "bias", "running_mean"):
                    getattr(norm, part)[dead] = 0
    smaller = pruned(whole, 0.6)
    images = torch.rand(4, 3, 32, 32)
    assert (smaller(images) - whole(images)).abs().max() < 1e-4


@pytest.mark.parametrize("name", ["conv4", "resnet"])
def test_a_pruned_network_is_kept_and_read_back(name, tmp_path):
    smaller = pruned(backbone_of(name), 0.5)
    keep_trained(tmp_path, smaller, {"backbone": name, "method": "pretrain"})
    again = read_trained(tmp_path)
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(again.backbone(images), smaller(images))
    assert again.backbone.width == smaller.width
    assert again.n_parameters == size_of(smaller)


@pytest.mark.parametrize("size", [0.0, 1.0, 1.5, -1.0])
def test_a_size_that_is_no_share_is_refused(size):
    with pytest.raises(InvalidOptionError, match="between 0 and 1"):
        pruned(backbone_of("conv4"), size)


def test_more_than_can_be_cut_is_refused_with_what_to_do_instead():
    with pytest.raises(InvalidOptionError, match="distill"):
        pruned(backbone_of("conv4"), 0.001)
