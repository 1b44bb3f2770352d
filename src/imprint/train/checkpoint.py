"""Runs on disk: one safetensors file that is either the old state or the new, never half of one.

Tensors and JSON only, nothing that could run code when it is read.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from imprint.errors import CheckpointCorruptError, NotFoundError, RunChangedError
from imprint.train.backbones import make_backbone

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from imprint.train.backbones import Backbone

KIND = "training-checkpoint.v1"
WEIGHTS_KIND = "trained-weights.v1"
Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Saved:
    """A checkpoint read back: groups of tensors by name, and the state as JSON values."""

    groups: Mapping[str, Tensors]
    state: Mapping[str, Any]


def write_checkpoint(path: Path, groups: Mapping[str, Tensors], state: Mapping[str, Any]) -> None:
    """Replace the file in one step: a kill at any moment leaves the old one or the new one."""
    tensors = {
        f"{group}/{name}": value.detach().cpu().contiguous()
        for group, named in groups.items()
        for name, value in named.items()
    }
    _write(path, tensors, {"kind": KIND, "state": json.dumps(state)})


def read_checkpoint(path: Path) -> Saved:
    """Read what `write_checkpoint` wrote.

    Raises:
        NotFoundError: there is no checkpoint.
        CheckpointCorruptError: it is damaged or not a checkpoint.
    """
    tensors, about = _read(path, KIND)
    groups: dict[str, Tensors] = {}
    for full, value in tensors.items():
        group, _, name = full.partition("/")
        groups.setdefault(group, {})[name] = value
    return Saved(groups, json.loads(about["state"]))


def require_same(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to go on with other settings than a run began with.

    Raises:
        RunChangedError: some setting differs; says which, and both values.
    """
    names = sorted(set(before) | set(now))
    differing = [n for n in names if before.get(n) != now.get(n)]
    if differing:
        told = "; ".join(f"{n} was {before.get(n)!r}, now {now.get(n)!r}" for n in differing[:5])
        more = f" and {len(differing) - 5} more" if len(differing) > 5 else ""
        raise RunChangedError(
            f"this run was started with other settings: {told}{more}. Resume it with the settings "
            "it began with, or start another run in another folder"
        )


def write_weights(
    path: Path, weights: Tensors, backbone: Backbone, about: Mapping[str, Any]
) -> None:
    """Write trained weights alone, with what is needed to build the network around them."""
    shape = {"n_channels": backbone.n_channels, "image_px": backbone.image_px}
    told = {"kind": WEIGHTS_KIND, "about": json.dumps({**about, **shape})}
    _write(path, {n: v.detach().cpu().contiguous() for n, v in weights.items()}, told)


def read_weights(path: Path) -> tuple[Tensors, dict[str, Any]]:
    """Trained weights by name ("backbone. ...", "head. ...") and what was said about them.

    Raises:
        NotFoundError: there is no such file.
        CheckpointCorruptError: it is damaged or holds something else.
    """
    tensors, told = _read(path, WEIGHTS_KIND)
    return tensors, json.loads(told["about"])


def load_backbone(path: Path) -> Backbone:
    """Build the backbone that a run trained, in `eval()` mode, for export or use.

    Raises:
        NotFoundError: there is no such file.
        CheckpointCorruptError: it is damaged, or its weights do not fit its network.
    """
    weights, about = read_weights(path)
    backbone = make_backbone(about["backbone"], about["n_channels"], about["image_px"])
    mine = {n.removeprefix("backbone."): v for n, v in weights.items() if n.startswith("backbone.")}
    try:
        backbone.load_state_dict(mine)
    except RuntimeError:
        raise CheckpointCorruptError(
            "the weights in this file do not fit the network it names; train again"
        ) from None
    return backbone.eval()


def load_like(backbone: Backbone, first: Backbone) -> None:
    """Give a backbone the weights of another of the same shape.

    Raises:
        RunChangedError: the two are of different shapes.
    """
    try:
        backbone.load_state_dict(first.state_dict())
    except RuntimeError:
        raise RunChangedError(
            "the weights to start with are of another network or image size; name the same "
            "backbone and px as the run they come from"
        ) from None


def weights_hash(network: torch.nn.Module) -> str:
    """SHA-256 of all weights and buffers by name, as 64 hex digits."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _write(path: Path, tensors: Tensors, about: dict[str, str]) -> None:
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    save_file(tensors, unfinished, about)
    with unfinished.open("rb") as written:
        os.fsync(written.fileno())
    unfinished.replace(path)


def _read(path: Path, kind: str) -> tuple[Tensors, dict[str, str]]:
    if not path.exists():
        raise NotFoundError("there is nothing to read in this folder: no run was saved here yet")
    try:
        with safe_open(path, "pt") as opened:
            about = dict(opened.metadata() or {})
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError):
        raise CheckpointCorruptError(
            "this file is damaged or was not written by imprint train; start the run again"
        ) from None
    if about.get("kind") != kind:
        raise CheckpointCorruptError(
            f"this file is not of the kind {kind}; start the run again in another folder"
        )
    return tensors, about


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> Tensors:
    """What an optimizer remembers of every parameter, by "number.name"."""
    remembered: Mapping[int, Mapping[str, Any]] = optimizer.state_dict()["state"]
    return {
        f"{number}.{name}": value
        for number, values in remembered.items()
        for name, value in values.items()
        if isinstance(value, torch.Tensor)
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Give an optimizer back what `optimizer_tensors` took from it."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    states: dict[int, dict[str, torch.Tensor]] = {}
    for full, value in tensors.items():
        number, _, name = full.partition(".")
        mine = parameters[int(number)]
        # Laid out as the weights are: another order of sums could differ in the last bit.
        kept = torch.empty_like(mine).copy_(value) if value.shape == mine.shape else value
        states.setdefault(int(number), {})[name] = kept.detach()
    whole = optimizer.state_dict()
    whole["state"] = states
    optimizer.load_state_dict(whole)
