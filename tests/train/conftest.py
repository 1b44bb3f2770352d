"""One thread for torch: small steps on two threads mostly wait for each other."""

from __future__ import annotations

import importlib.util

import pytest


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    if importlib.util.find_spec("torch") is None:
        return
    import torch

    torch.set_num_threads(1)
