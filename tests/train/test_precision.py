"""Asking whether half precision pays leaves everything as it was."""

import pytest

torch = pytest.importorskip("torch")

from imprint.train.backbones import make_backbone  # noqa: E402
from imprint.train.precision import half_pays, keep_freed_memory  # noqa: E402

pytestmark = pytest.mark.train


def test_the_probe_changes_neither_weights_nor_random_numbers():
    backbone = make_backbone("conv4", 1, 16)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    torch.manual_seed(3)
    assert half_pays(backbone, torch.rand(8, 1, 16, 16), n_trials=1) in (True, False)
    drawn = torch.rand(2)
    torch.manual_seed(3)
    torch.rand(8, 1, 16, 16)
    assert torch.equal(torch.rand(2), drawn)
    assert all(torch.equal(v, before[n]) for n, v in backbone.state_dict().items())
    assert all(p.grad is None for p in backbone.parameters())


def test_keeping_memory_says_whether_it_can():
    assert keep_freed_memory() in (True, False)
