"""What became of attacks: shares with intervals, and the report that holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from imprint.types import as_json

_NORMAL_95: Final = 1.96


class Share(NamedTuple):
    """A share (0 .. 1) with its 95 % interval; all None when nothing was counted."""

    mean: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, n_hit: int, n: int) -> Share:
        """Wilson's score interval (1927)."""
        if not n:
            return cls(None, None, None)
        share, z = n_hit / n, _NORMAL_95
        middle = (share + z * z / (2 * n)) / (1 + z * z / n)
        half = z * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))) / (1 + z * z / n)
        return cls(share, max(0.0, middle - half), min(1.0, middle + half))


@dataclass(frozen=True, slots=True)
class GenuineRow:
    """Genuine examples taught to classes of `n_shot`: how many were held or refused."""

    n_shot: int
    n_taught: int
    n_held: int
    false_quarantine_rate: Share


@dataclass(frozen=True, slots=True)
class AttackRow:
    """How one attack fared against classes of `n_shot` examples.

    Of `n_attempts` examples `n_effective` would do what they are made for; `recall` is the share of
    these that were held or refused, `precision` that of attacks among what is held when attackers
    and honest teachers send equally many. `n_warned` passed with a warning. `lost_points` is the
    accuracy, in points, that the other classes lost after `n_in_a_row` attempts one after
    the other, of which what passed stayed; the mean over draws, and the worst draw.
    """

    attack: str
    n_shot: int
    n_attempts: int
    n_effective: int
    n_held: int
    n_warned: int
    recall: Share
    precision: float | None
    n_in_a_row: int
    lost_points: float | None
    lost_points_worst: float | None
    held_by: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PoisoningReport:
    """All attacks on one material under one encoder."""

    modality: str
    encoder_version: str
    n_classes: int
    n_samples: int
    n_way: int
    n_draws: int
    seed: int
    genuine: tuple[GenuineRow, ...]
    attacks: tuple[AttackRow, ...]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Shape this as a JSON object."""
        shape: dict[str, Any] = as_json(self)
        return shape

    def to_text(self) -> str:
        """A table for a terminal."""
        from imprint.measure.attacks.pages import text_of

        return text_of(self)

    def to_html(self, path: str | Path) -> Path:
        """Write a page to look at."""
        from imprint.measure.attacks.pages import html_of

        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(html_of(self), encoding="utf-8")
        return place


class Tally:
    """Counts one attack at one number of examples while attempts come in."""

    def __init__(self, attack: str, n_shot: int) -> None:
        self.attack, self.n_shot = attack, n_shot
        self.n_attempts = self.n_effective = self.n_held = self.n_warned = 0
        self.n_in_a_row = 0
        self.lost: list[float] = []
        self.held_by: dict[str, int] = {}

    def attempted(self, state: str, checks: tuple[str, ...], *, effective: bool) -> None:
        """Count an attempt: state "held", "warned" or "passed"; `checks` say what held it."""
        self.n_attempts += 1
        if not effective:
            return
        self.n_effective += 1
        self.n_held += state == "held"
        self.n_warned += state == "warned"
        for name in checks:
            self.held_by[name] = self.held_by.get(name, 0) + 1

    def row(self, false_rate: float | None) -> AttackRow:
        """Sum up; `false_rate` is the share of genuine examples that were held."""
        recall = Share.of(self.n_held, self.n_effective)
        precision = None
        if recall.mean is not None and false_rate is not None and recall.mean + false_rate > 0:
            precision = recall.mean / (recall.mean + false_rate)
        return AttackRow(
            self.attack,
            self.n_shot,
            self.n_attempts,
            self.n_effective,
            self.n_held,
            self.n_warned,
            recall,
            precision,
            self.n_in_a_row,
            float(np.mean(self.lost)) if self.lost else None,
            max(self.lost) if self.lost else None,
            dict(sorted(self.held_by.items(), key=lambda one: -one[1])),
        )
