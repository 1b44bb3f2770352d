"""ONNX Runtime as this house uses it: one thread a run, one sample a run, a batch over threads.

A sample run alone on one thread cannot get another vector because of what else is in the call or
how many cores there are; the runtime releases the GIL, so a batch still fills the cores.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from imprint.errors import ModelHashError, VectorError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

    from imprint.types import UnitVectors

T = TypeVar("T")
_MOST_THREADS = 8


def open_session(path: Path, version: str, *, optimize: bool) -> Any:
    """Open an ONNX file. `optimize=False` runs the graph exactly as it was written.

    Raises:
        ModelHashError: this release of ONNX Runtime cannot open the file.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # The arena keeps the largest run's memory for good; without it a run costs nothing more.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    if not optimize:
        level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.graph_optimization_level = level
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime raises several kinds of its own, without a root
        raise ModelHashError(
            f"ONNX Runtime {onnxruntime.__version__} cannot open {version} "
            f"({type(error).__name__}); update onnxruntime, or remove that entry from the model "
            "cache and pull or add it again"
        ) from error


class Late(Generic[T]):
    """A value made once, on first use, by any thread; when making it fails, it is tried again."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: list[T] = []

    def value(self) -> T:
        """The value; raises whatever making it raises."""
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]


class Spread:
    """Fills the rows of a matrix one sample at a time, over a few threads made on first need."""

    def __init__(self, n_threads: int | None = None) -> None:
        self._n_threads = n_threads or min(_MOST_THREADS, os.cpu_count() or 1)
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def rows(
        self, name: str, n_rows: int, dim: int, row: Callable[[int], npt.NDArray[np.float32]]
    ) -> UnitVectors:
        """Stack `row(0) .. row(n_rows - 1)`.

        Raises:
            VectorError: a row holds NaN or infinity.
        """
        rows: UnitVectors = np.empty((n_rows, dim), dtype=np.float32)

        def fill(first: int, step: int) -> None:
            for i in range(first, n_rows, step):
                rows[i] = row(i)

        n_parts = min(self._n_threads, n_rows)
        if n_parts <= 1:
            fill(0, 1)
        else:
            # Every n-th sample to each thread: neighbors in a file tend to be of similar length.
            parts = [self._threads().submit(fill, part, n_parts) for part in range(n_parts)]
            for part in parts:
                part.result()
        if not np.isfinite(rows).all():
            bad = int(np.argmin(np.isfinite(rows).all(axis=1)))
            raise VectorError(f"{name} gave no direction for sample {bad} of {n_rows}")
        return rows

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._n_threads, thread_name_prefix="encode")
            return self._pool
