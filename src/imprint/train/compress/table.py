"""One table: size, latency and accuracy of an encoder before and after each step."""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from imprint.train.compress.export import opened, sample_of
from imprint.train.evaluation import EpisodeShape, score_episodes
from imprint.train.methods.pretrain import Pretrain
from imprint.train.sampling import TEST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from imprint.encoders.protocol import Encoder
    from imprint.train.evaluation import EpisodeScore
    from imprint.train.sources.pool import ImagePool
    from imprint.types import Pixels

_N_ROUNDS = 7
_N_EACH = 40


@dataclass(frozen=True, slots=True)
class Exam:
    """What every row is asked: the same episodes of the same pool, drawn by `seed`.

    `inverted` says that the served file expects the pool's images inverted (dark ink on light).
    """

    pool: ImagePool = field(repr=False)
    shape: EpisodeShape
    n_episodes: int = 600
    seed: int = 0
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One step: the file it gave, measured as it is served. Accuracy and interval are 0 to 1.

    `latency_ms` is the median of one picture on one thread; rows are timed in turn.
    """

    step: str
    n_parameters: int
    n_bytes: int
    latency_ms: float
    accuracy: float
    interval: float
    kept: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True)
class CompressionTable:
    """Rows in the order of the steps; the first is what everything is compared with."""

    rows: tuple[Row, ...]
    shape: EpisodeShape
    n_episodes: int

    def to_json(self) -> dict[str, Any]:
        """What `--json` and table.json hold."""
        rows = [asdict(row) for row in self.rows]
        return {"episodes": self.n_episodes, "shape": self.shape._asdict(), "rows": rows}

    def __str__(self) -> str:
        asked = f"{self.shape.n_way}-way {self.shape.n_shot}-shot"
        lines = [f"{'step':<24}{'numbers':>10}{'KB':>8}{'ms':>8}{asked:>20}{'points':>8}  kept"]
        return "\n".join(lines + [self._line(row) for row in self.rows])

    def _line(self, row: Row) -> str:
        lost = 100 * (row.accuracy - self.rows[0].accuracy)
        return (
            f"{row.step:<24}{row.n_parameters:>10,}{row.n_bytes / 1e3:>8,.0f}"
            f"{row.latency_ms:>8.2f}{100 * row.accuracy:>12.2f} ± {100 * row.interval:<5.2f}"
            f"{lost:>+8.2f}  {'yes' if row.kept else 'no'}{f' ({row.note})' if row.note else ''}"
        )


class _AsLearner(nn.Module):
    """A served encoder in the shape that episodes are asked of."""

    def __init__(self, encoder: Encoder, *, inverted: bool) -> None:
        super().__init__()
        self._encoder, self._inverted = encoder, inverted
        self.device_mark = nn.Parameter(torch.zeros(1), requires_grad=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (n, channels, px, px) in 0 .. 1 to unit vectors."""
        samples = [sample_of(one) for one in pictures_of(images, inverted=self._inverted)]
        return torch.from_numpy(self._encoder.encode(samples))


def pictures_of(images: torch.Tensor, *, inverted: bool = False) -> list[Pixels]:
    """Images in 0 .. 1 as the pictures a user would send: (px, px, 3) uint8 each."""
    shaped = (images * 255.0).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    shaped = 255 - shaped if inverted else shaped
    colored = shaped.repeat(3, 3) if shaped.shape[3] == 1 else shaped
    return [np.ascontiguousarray(one) for one in colored]


def examined(encoder: Encoder, exam: Exam) -> EpisodeScore:
    """Episodes answered by the mean direction of each class, as the prototype head does."""
    return score_episodes(
        Pretrain(),
        _AsLearner(encoder, inverted=exam.inverted),  # type: ignore[arg-type]
        exam.pool,
        exam.shape,
        exam.n_episodes,
        seed=exam.seed,
        use=TEST,
    )


def measured(
    files: Mapping[str, Path], n_parameters: Mapping[str, int], exam: Exam
) -> CompressionTable:
    """Open every file as served, ask the exam, time all of them in turn."""
    encoders = {step: opened(path) for step, path in files.items()}
    latency_ms = latencies_ms(encoders, pictures_of(exam.pool.images[:_N_EACH].float() / 255.0))
    rows = []
    for step, encoder in encoders.items():
        score = examined(encoder, exam)
        n_bytes = files[step].stat().st_size
        told = (score.accuracy, score.interval)
        rows.append(Row(step, n_parameters[step], n_bytes, latency_ms[step], *told))
    return CompressionTable(tuple(rows), exam.shape, exam.n_episodes)


def latencies_ms(encoders: Mapping[str, Encoder], pictures: Sequence[Pixels]) -> dict[str, float]:
    """Median over rounds of the time of one picture; encoders take turns, so load hits all."""
    samples = [[sample_of(one)] for one in pictures]
    taken: dict[str, list[float]] = {name: [] for name in encoders}
    for _ in range(_N_ROUNDS + 1):
        for name, encoder in encoders.items():
            for one in samples:
                began = time.perf_counter()
                encoder.encode(one)
                taken[name].append(1000.0 * (time.perf_counter() - began))
    warm = len(samples)  # the first round is not counted
    return {name: statistics.median(all_ms[warm:]) for name, all_ms in taken.items()}
