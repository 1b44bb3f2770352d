"""Reads and keeps trained networks of any width: whole ones, pruned ones, distilled ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from imprint.errors import CheckpointCorruptError, NotFoundError
from imprint.train.backbones import make_backbone
from imprint.train.checkpoint import WEIGHTS_KIND, read_checkpoint, read_weights, write_weights
from imprint.train.runs import BEST, CHECKPOINT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from imprint.train.backbones import Backbone
    from imprint.train.checkpoint import Tensors

_PREFIX = "backbone."


@dataclass(frozen=True)
class Trained:
    """A trained backbone in `eval()` mode and what is known of it ("backbone", "method", ...)."""

    backbone: Backbone
    about: Mapping[str, Any]

    @property
    def n_parameters(self) -> int:
        """Numbers that were trained."""
        return sum(one.numel() for one in self.backbone.parameters())


def read_trained(place: Path) -> Trained:
    """Read a run folder (its best weights, or those of its checkpoint), or one of its files.

    Raises:
        NotFoundError: no run is there.
        CheckpointCorruptError: it is damaged, or its weights do not fit its network.
    """
    if place.is_dir():
        found = [place / name for name in (BEST, CHECKPOINT) if (place / name).is_file()]
        if not found:
            raise NotFoundError(f"this folder holds no run: neither {BEST} nor {CHECKPOINT}")
        place = found[0]
    if place.name == CHECKPOINT:
        weights, about = _of_checkpoint(place)
    else:
        weights, about = read_weights(place)
    mine = {n.removeprefix(_PREFIX): v for n, v in weights.items() if n.startswith(_PREFIX)}
    try:
        backbone = make_backbone(about["backbone"], about["n_channels"], about["image_px"])
        backbone = fitted(backbone, mine)
        backbone.load_state_dict(mine)
    except (KeyError, RuntimeError):
        raise CheckpointCorruptError(
            f"this file is no {WEIGHTS_KIND} whose weights fit the network it names; train again"
        ) from None
    return Trained(backbone.eval(), about)


def keep_trained(folder: Path, backbone: Backbone, about: Mapping[str, Any]) -> None:
    """Write a network's weights into a run folder, as training does."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {f"{_PREFIX}{name}": value for name, value in backbone.state_dict().items()}
    write_weights(folder / BEST, weights, backbone, about)


def fitted(backbone: Backbone, weights: Tensors) -> Backbone:
    """The same network with every layer as wide as the weights say; values come later.

    A pruned network differs from the one it came from in the widths of its layers only, and those
    can be read off its weights.
    """
    for name, module in backbone.named_modules():
        if isinstance(module, nn.Conv2d):
            resized(module, weights[f"{name}.weight"], weights.get(f"{name}.bias"))
        elif isinstance(module, nn.BatchNorm2d):
            renormed(module, {p: weights[f"{name}.{p}"] for p in NORM_PARTS})
    with torch.no_grad():
        empty = torch.zeros(1, backbone.n_channels, backbone.image_px, backbone.image_px)
        backbone.width = int(backbone.eval()(empty).shape[1])
    return backbone


NORM_PARTS = ("weight", "bias", "running_mean", "running_var")


def resized(convolution: nn.Conv2d, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
    """Give a convolution other weights and the numbers of channels they have."""
    convolution.weight = nn.Parameter(weight.detach().clone())
    if bias is not None:
        convolution.bias = nn.Parameter(bias.detach().clone())
    convolution.out_channels, convolution.in_channels = weight.shape[0], weight.shape[1]


def renormed(norm: nn.BatchNorm2d, parts: Mapping[str, torch.Tensor]) -> None:
    """Give a batch norm other weights and running statistics, for as many channels."""
    norm.num_features = len(parts["weight"])
    norm.weight = nn.Parameter(parts["weight"].detach().clone())
    norm.bias = nn.Parameter(parts["bias"].detach().clone())
    norm.running_mean = parts["running_mean"].detach().clone()
    norm.running_var = parts["running_var"].detach().clone()


def _of_checkpoint(path: Path) -> tuple[Tensors, dict[str, Any]]:
    saved = read_checkpoint(path)
    weights = saved.groups.get("best") or saved.groups["learner"]
    told = saved.state["identity"]
    first = next(v for n, v in weights.items() if n.startswith(_PREFIX) and v.ndim == 4)
    return weights, {
        "method": told["method"],
        "backbone": told["run.backbone"],
        "image_px": told["run.image_px"],
        "n_channels": first.shape[1],
    }
