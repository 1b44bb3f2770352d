"""Imprint learns a class from one example and recognizes it from then on.

    >>> import imprint
    >>> workspace = imprint.open()
    >>> pets = workspace.collection("pets", modality="image")

Names are loaded at first use: importing imprint loads no model runtime and no database.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imprint import errors
    from imprint.estimator import FewShotClassifier
    from imprint.flows.bundle import Bundle
    from imprint.flows.bundle import load_bundle as load
    from imprint.flows.collection import Collection
    from imprint.flows.evaluate import evaluate
    from imprint.flows.policy import Policy
    from imprint.flows.workspace import Workspace
    from imprint.flows.workspace import open_workspace as open
    from imprint.types import Answer, Receipt, Support, Verification

__version__ = "0.1.0"

_HOME = {
    "Answer": ("imprint.types", "Answer"),
    "Bundle": ("imprint.flows.bundle", "Bundle"),
    "Collection": ("imprint.flows.collection", "Collection"),
    "FewShotClassifier": ("imprint.estimator", "FewShotClassifier"),
    "Policy": ("imprint.flows.policy", "Policy"),
    "Receipt": ("imprint.types", "Receipt"),
    "Support": ("imprint.types", "Support"),
    "Verification": ("imprint.types", "Verification"),
    "Workspace": ("imprint.flows.workspace", "Workspace"),
    "errors": ("imprint.errors", ""),
    "evaluate": ("imprint.flows.evaluate", "evaluate"),
    "load": ("imprint.flows.bundle", "load_bundle"),
    "open": ("imprint.flows.workspace", "open_workspace"),
}

__all__ = [
    "Answer",
    "Bundle",
    "Collection",
    "FewShotClassifier",
    "Policy",
    "Receipt",
    "Support",
    "Verification",
    "Workspace",
    "errors",
    "evaluate",
    "load",
    "open",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'imprint' has no attribute {name!r}")
    room, thing = _HOME[name]
    module = import_module(room)
    found = getattr(module, thing) if thing else module
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
