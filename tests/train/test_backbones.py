"""The backbones are the published networks, whatever order their layers run in."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from imprint.errors import InvalidOptionError  # noqa: E402
from imprint.train.backbones import BACKBONES, make_backbone  # noqa: E402

pytestmark = pytest.mark.train


def as_published(backbone):
    """Convolution, batch norm, ReLU, pooling, with the weights of ours."""
    layers = []
    for block in list(backbone.layers)[:-1]:
        layers += [block.convolution, block.norm, nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten())


@pytest.mark.parametrize("training", [True, False])
def test_conv4_is_the_published_network(training):
    torch.manual_seed(0)
    ours = make_backbone("conv4", 1, 28).train(training)
    for norm in (m for m in ours.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.normal_(norm.weight)  # negative factors too: pooling must not swap them
    images = torch.rand(16, 1, 28, 28)
    assert torch.allclose(ours(images), as_published(ours)(images), atol=1e-5)
    assert sum(p.numel() for p in ours.parameters()) == 111_936


@pytest.mark.parametrize(("name", "px", "width"), [
    ("conv4", 28, 64), ("conv4", 84, 1600), ("resnet", 48, 256), ("resnet", 33, 256),
])  # fmt: skip
def test_the_width_is_what_comes_out(name, px, width):
    backbone = make_backbone(name, 3, px).eval()
    assert backbone.width == width
    assert backbone(torch.rand(2, 3, px, px)).shape == (2, width)


def test_what_cannot_be_built_is_refused():
    with pytest.raises(InvalidOptionError, match="conv4, resnet"):
        make_backbone("vgg", 1, 28)
    with pytest.raises(InvalidOptionError, match="12 px are too few"):
        make_backbone("conv4", 1, 12)
    assert set(BACKBONES) == {"conv4", "resnet"}
