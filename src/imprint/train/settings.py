"""What decides a training run: frozen values, comparable, readable from a command line."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from imprint.errors import InvalidOptionError

if TYPE_CHECKING:
    from collections.abc import Mapping

Frozen = TypeVar("Frozen")


@dataclass(frozen=True, slots=True)
class StepPlan:
    """What one step draws: `n_episodes` times `n_way` classes of `n_shot + n_query` images each.

    Methods that learn from pairs or triplets see the same draw: `n_way` classes with
    `n_shot + n_query` images of each. `n_way` is lowered to the classes there are. With `n_groups`
    above 0 the classes of an episode come from so many groups (alphabets, say), which makes them
    more alike.
    """

    n_way: int = 60
    n_shot: int = 1
    n_query: int = 5
    n_episodes: int = 1
    n_groups: int = 0

    def __post_init__(self) -> None:
        least_of = {"n_way": 2, "n_shot": 1, "n_query": 0, "n_episodes": 1, "n_groups": 0}
        for name, least in least_of.items():
            if getattr(self, name) < least:
                raise InvalidOptionError(f"step.{name} must be a whole number from {least} on")

    @property
    def n_each(self) -> int:
        """Images of one class in one episode."""
        return self.n_shot + self.n_query


@dataclass(frozen=True, slots=True)
class OptimizerSettings:
    """How weights move: Adam (Kingma and Ba 2015) or SGD with Nesterov momentum 0.9.

    The rate rises over the first `warmup` share of the run and falls along half a cosine to zero;
    `schedule="halving"` halves it ten times instead, as Snell et al. 2017 do every 2,000 episodes.
    """

    kind: str = "adam"
    rate: float = 1e-3
    weight_decay: float = 0.0
    warmup: float = 0.02
    schedule: str = "cosine"

    def __post_init__(self) -> None:
        _one_of("optimizer.kind", self.kind, ("adam", "sgd"))
        _one_of("optimizer.schedule", self.schedule, ("cosine", "halving", "constant"))
        if not self.rate > 0:
            raise InvalidOptionError("optimizer.rate must be greater than 0")

    def rate_at(self, share: float) -> float:
        """Learning rate after this share (0 to 1) of the run."""
        if share < self.warmup:
            return self.rate * (0.05 + 0.95 * share / self.warmup)
        if self.schedule == "constant":
            return self.rate
        if self.schedule == "halving":
            return self.rate * 0.5 ** int(10 * share)
        left = min(1.0, (share - self.warmup) / max(1e-9, 1.0 - self.warmup))
        return self.rate * 0.5 * (1.0 + math.cos(math.pi * left))


@dataclass(frozen=True, slots=True)
class RunSettings:
    """Everything that decides a run beside the method and the images.

    `n_way`, `n_shot`, `n_query` and `n_groups` (0: any classes; 1: classes of one group) are those
    of validation and test episodes. A run lasts `epochs`
    times `steps_per_epoch` steps, or `minutes` of wall time if that is over first; learning rates
    follow the share that has passed. `averaging` above 0 judges and keeps an exponential average
    of the weights with that pace per step. `patience` ends a run after so many validations
    without a better one (0: never). `precision` is "auto" (half where it was measured faster),
    "half" (bf16) or "full".
    """

    n_way: int = 5
    n_shot: int = 1
    n_query: int = 15
    n_groups: int = 0
    epochs: int | None = None
    minutes: float | None = None
    steps_per_epoch: int = 100
    seed: int = 0
    backbone: str = "conv4"
    image_px: int = 28
    augment: str = "none"
    precision: str = "auto"
    averaging: float = 0.0
    patience: int = 0
    validate_every: int = 1
    n_validation_episodes: int = 400
    n_test_episodes: int = 1000

    def __post_init__(self) -> None:
        _one_of("precision", self.precision, ("auto", "half", "full"))
        _one_of("augment", self.augment, ("none", "affine", "elastic"))
        if self.epochs is None and self.minutes is None:
            raise InvalidOptionError("say how long to train: epochs, minutes or both")
        least = {"n_way": 2, "n_groups": 0, "patience": 0, "seed": 0, "image_px": 8}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int) and value < least.get(field.name, 1):
                raise InvalidOptionError(
                    f"{field.name} is {value}; it must be {least.get(field.name, 1)} or more"
                )
        if self.minutes is not None and not self.minutes > 0:
            raise InvalidOptionError(f"minutes is {self.minutes}; it must be greater than 0")
        if not 0 <= self.averaging < 1:
            raise InvalidOptionError(f"averaging is {self.averaging}; it must be in 0 .. 1")

    @property
    def n_steps(self) -> int | None:
        """Steps of the whole run; None when only time ends it."""
        return None if self.epochs is None else self.epochs * self.steps_per_epoch


def flat(settings: Any, prefix: str = "") -> dict[str, Any]:
    """Every field of a frozen value by dotted name: {"step.n_way": 60, ...}."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        value, name = getattr(settings, field.name), f"{prefix}{field.name}"
        if dataclasses.is_dataclass(value):
            found |= flat(value, f"{name}.")
        else:
            found[name] = value
    return found


def changed(settings: Frozen, wanted: Mapping[str, str]) -> Frozen:
    """A copy with some fields set from text, by dotted name, each read as the type it has.

    Raises:
        InvalidOptionError: there is no such field, or the text is not of its type.
    """
    for name, text in wanted.items():
        settings = _with(settings, name, name.split("."), text)
    return settings


def _with(settings: Any, name: str, path: list[str], text: str) -> Any:
    known = {field.name for field in dataclasses.fields(settings)}
    if path[0] not in known:
        raise InvalidOptionError(
            f"there is no setting {name!r}; there are {', '.join(sorted(flat(settings)))}"
        )
    value = getattr(settings, path[0])
    if len(path) > 1 and dataclasses.is_dataclass(value):
        return dataclasses.replace(settings, **{path[0]: _with(value, name, path[1:], text)})
    return dataclasses.replace(settings, **{path[0]: _read(name, value, text)})


def _read(name: str, value: Any, text: str) -> Any:
    try:
        if isinstance(value, bool):
            return {"true": True, "false": False}[text.lower()]
        return type(value)(text)
    except (KeyError, TypeError, ValueError):
        raise InvalidOptionError(
            f"{name} is {value!r} by default; {text!r} cannot be read as {type(value).__name__}"
        ) from None


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InvalidOptionError(f"{name} is {value!r}; it is one of {', '.join(known)}")
