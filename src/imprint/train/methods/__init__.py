"""Ways to learn from few examples, one file each; `make_method` finds them by name."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from imprint.errors import InvalidOptionError
from imprint.train.settings import changed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imprint.train.methods.protocol import Method

# Name on the command line: (module, class). A module is loaded when its method is asked for.
METHODS: dict[str, tuple[str, str]] = {
    "prototypical": ("imprint.train.methods.prototypical", "Prototypical"),
    "matching": ("imprint.train.methods.matching", "Matching"),
    "siamese": ("imprint.train.methods.siamese", "Siamese"),
    "triplet": ("imprint.train.methods.triplet", "Triplet"),
    "contrastive": ("imprint.train.methods.contrastive", "Contrastive"),
    "maml": ("imprint.train.methods.inner_loop.maml", "Maml"),
    "anil": ("imprint.train.methods.inner_loop.anil", "Anil"),
    "pretrain": ("imprint.train.methods.pretrain", "Pretrain"),
}


def make_method(name: str, wanted: Mapping[str, str] | None = None) -> Method:
    """The method of that name with its paper's defaults, but for the fields in `wanted`.

    Raises:
        InvalidOptionError: there is no such method or field, or a value cannot be read.
    """
    if name not in METHODS:
        raise InvalidOptionError(f"there is no method {name!r}; there are {', '.join(METHODS)}")
    module, kind = METHODS[name]
    method: Method = getattr(importlib.import_module(module), kind)()
    return changed(method, wanted or {})
