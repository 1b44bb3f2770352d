"""Recordings: long enough, audible, neither clipped nor drowned in noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from imprint.intake.verdict import measured

if TYPE_CHECKING:
    from imprint.intake.quality.limits import QualityLimits
    from imprint.types import Check, Sound

_WINDOW_S: Final = 0.02
# A window this far below the loudest one is silence; so is all that is below the floor.
_SILENT_BELOW_DB: Final = -45.0
_FLOOR_DB: Final = -80.0
_FULL_SCALE: Final = 0.999
_SHORTEST_RUN: Final = 3

Levels = npt.NDArray[np.float64]


def audio_checks(sound: Sound, limits: QualityLimits) -> tuple[Check, ...]:
    """Measure a decoded recording."""
    levels = levels_db(sound)
    loudest = float(levels.max(initial=_FLOOR_DB))
    if loudest <= _FLOOR_DB:
        hint = "the recording is silent; check the microphone and record again"
        return (measured("loudness", loudest, _FLOOR_DB + 1, hint, bad="reject", floor=True),)
    silent = levels <= max(loudest + _SILENT_BELOW_DB, _FLOOR_DB)
    heard_s = float((~silent).sum()) * _WINDOW_S
    return (
        measured(
            "length",
            min(heard_s, len(sound.waveform) / sound.rate_hz),
            limits.audio_speech_s,
            "there is hardly a sound in it; record it again, a little longer",
            bad="quarantine",
            floor=True,
        ),
        measured(
            "silence",
            float(silent.mean()),
            limits.audio_silence,
            "nearly all of it is silence; cut the beginning and the end",
            bad="quarantine",
        ),
        measured(
            "clipping",
            clipped(sound),
            limits.audio_clipped,
            "it is overdriven; lower the microphone's level or step back",
            bad="quarantine",
        ),
        measured(
            "noise",
            contrast_db(levels),
            limits.audio_noise_db,
            "nothing stands out from the background; record nearer to the source",
            bad="warn",
            floor=True,
        ),
    )


def levels_db(sound: Sound) -> Levels:
    """Level of each window of 20 ms, in decibels below full scale."""
    size = max(1, round(sound.rate_hz * _WINDOW_S))
    wave = np.asarray(sound.waveform, dtype=np.float64)
    n_windows = max(1, len(wave) // size)
    windows = np.resize(wave, size) if len(wave) < size else wave[: n_windows * size]
    power = (windows.reshape(-1, size) ** 2).mean(axis=1)
    levels: Levels = np.maximum(10 * np.log10(np.maximum(power, 1e-12)), _FLOOR_DB)
    return levels


def clipped(sound: Sound) -> float:
    """Share of frames at full scale in runs of three or more: a loud peak alone is no fault."""
    full = np.abs(sound.waveform) >= _FULL_SCALE
    if len(full) < _SHORTEST_RUN:
        return 0.0
    runs = full[:-2] & full[1:-1] & full[2:]
    return float(runs.mean())


def contrast_db(levels: Levels) -> float:
    """How far the loudest tenth of the windows stands over the quietest."""
    return float(np.quantile(levels, 0.95) - np.quantile(levels, 0.05))
