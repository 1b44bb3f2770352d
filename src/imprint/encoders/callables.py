"""Any Python function as an encoder: `from_callable(fn, modality="text")`."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from imprint.encoders.weights.cache import checked_name
from imprint.encoders.weights.files import version_of
from imprint.errors import ModalityMismatchError, VectorError
from imprint.types import Sound
from imprint.vectors import unit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imprint.types import Modality, Sample, UnitVectors

    Function = Callable[[list[Any]], npt.ArrayLike]

# Rounding before the fingerprint: the last bits of a network differ between machines.
_FINGERPRINT_STEP = 1e-3


class CallableEncoder:
    """A function from a list of values to an array of rows; rows are made unit length here.

    Values are `str` for text, `Pixels` for images and `Sound` for audio. The function is asked for
    one value at a time unless `batch` says that its rows never depend on each other: the same
    sample must give the same vector whatever else is in the call.
    """

    def __init__(
        self,
        function: Function,
        modality: Modality,
        *,
        version: str | None = None,
        name: str | None = None,
        batch: int = 1,
        background: UnitVectors | None = None,
    ) -> None:
        self.modality: Modality = modality
        self.background = background
        self._function = function
        self._batch = max(1, batch)
        own = re.sub(r"[^A-Za-z0-9._-]", "", getattr(function, "__name__", "")).lstrip("._-")
        self.name = checked_name(name or own[:64] or "callable")
        probed = self._rows(_probes(modality))
        self.dim: int = probed.shape[1]
        marks = {"version": version} if version else {"outputs": _fingerprint(probed)}
        self.version = version_of(
            self.name, {"kind": "callable.v1", "modality": modality, "dim": self.dim, **marks}
        )

    def encode(self, samples: Sequence[Sample]) -> UnitVectors:
        """Embed samples through the function.

        Raises:
            ModalityMismatchError: a sample is of another modality.
            VectorError: the function gave another number or width of rows, or no direction.
        """
        for sample in samples:
            if sample.modality != self.modality:
                raise ModalityMismatchError(
                    f"{self.name} reads {self.modality} and was given {sample.modality}"
                )
        rows = self._rows([sample.value for sample in samples])
        if len(rows) and rows.shape[1] != self.dim:
            raise VectorError(
                f"{self.name} gave vectors of width {rows.shape[1]} where it gave {self.dim} before"
            )
        return rows if len(rows) else np.empty((0, self.dim), dtype=np.float32)

    def _rows(self, values: list[Any]) -> UnitVectors:
        parts = []
        for start in range(0, len(values), self._batch):
            asked = values[start : start + self._batch]
            given = np.asarray(self._function(asked), dtype=np.float32)
            if given.ndim != 2 or len(given) != len(asked):
                raise VectorError(
                    f"{self.name} was given {len(asked)} values and answered with shape "
                    f"{given.shape}; it must return one row for each"
                )
            parts.append(unit(given))
        return np.concatenate(parts) if parts else np.empty((0, 0), dtype=np.float32)


def from_callable(
    function: Function,
    *,
    modality: Modality,
    version: str | None = None,
    name: str | None = None,
    batch: int = 1,
    background: UnitVectors | None = None,
) -> CallableEncoder:
    """Wrap a function as an encoder.

    Without a `version` of your own, the version is a fingerprint of what the function gives for
    fixed probes, so a changed function is another encoder. State one where outputs are not
    reproducible to three decimals from machine to machine.

    Raises:
        VectorError: the function does not give one finite row for each value.
    """
    return CallableEncoder(
        function, modality, version=version, name=name, batch=batch, background=background
    )


def _fingerprint(rows: UnitVectors) -> str:
    steps = np.rint(rows / _FINGERPRINT_STEP).astype("<i4")
    return hashlib.sha256(steps.tobytes()).hexdigest()


def _probes(modality: Modality) -> list[Any]:
    """Fixed values of a modality: enough to tell two functions apart, quick to embed."""
    if modality == "text":
        return ["a", "Where is my parcel?", "reset the password, please", "ζ 7 — été"]
    if modality == "audio":
        seconds = np.arange(16_000, dtype=np.float32) / 16_000
        return [
            Sound((0.5 * np.sin(2 * np.pi * pitch_hz * seconds)).astype(np.float32), 16_000)
            for pitch_hz in (220.0, 440.0, 1000.0)
        ]
    rows, columns = np.mgrid[0:64, 0:64]
    return [
        np.repeat(plane.astype(np.uint8)[:, :, None], 3, axis=2)
        for plane in (rows * 4, (rows // 8 + columns // 8) % 2 * 255, (rows * columns) % 256)
    ]
