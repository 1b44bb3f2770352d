"""How fast steps run: whether half precision pays here, and memory that is kept between steps."""

from __future__ import annotations

import copy
import ctypes
import time
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import nn

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # names of glibc's malloc.h
_PROBE_IMAGES = 64


def half_pays(learner: nn.Module, images: torch.Tensor, *, n_trials: int = 3) -> bool:
    """Whether a pass forward and back was faster in bf16 than in full precision, by a tenth.

    A processor without bf16 instructions emulates them slowly; then no time is spent on trying.
    Neither the learner nor torch's random numbers change.
    """
    if images.device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():  # noqa: SLF001 - no public way to ask
        return False
    learner, images = copy.deepcopy(learner), images[:_PROBE_IMAGES]
    with torch.random.fork_rng(devices=[]):
        taken: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(n_trials + 1):
            for half, seconds in taken.items():
                seconds.append(_seconds(learner, images, half=half))
    return bool(min(taken[True][1:]) < 0.9 * min(taken[False][1:]))


def keep_freed_memory() -> bool:
    """Tell the C library to keep memory that was freed; False where there is no glibc.

    By default large blocks go back to the system at once, and every layer of every step waits for
    fresh pages to be zeroed; on the training loops here that was half of all time
    (docs/measurements/training-omniglot.md). It changes the whole process, so only a program of
    its own calls this, never the library.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    wanted = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 2**26))
    accepted = [set_option(option, value) for option, value in wanted]
    return all(accepted)


def _seconds(learner: nn.Module, images: torch.Tensor, *, half: bool) -> float:
    started = time.perf_counter()
    with torch.autocast(images.device.type, torch.bfloat16, enabled=half):
        features = learner(images)
    features.float().square().mean().backward()
    return time.perf_counter() - started
