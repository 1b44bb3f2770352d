"""Grounds on which marks are seen: random textures of many kinds, standardized, from one seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Field = npt.NDArray[np.float32]

CANVAS_PX = 160


def grounds(n: int, rng: np.random.Generator, px: int = CANVAS_PX) -> Field:
    """(n, px, px) textures of mean zero and spread one, before noise and light are added."""
    return np.stack([_standardized(_ground(rng, px)) for _ in range(n)])


def _ground(rng: np.random.Generator, px: int) -> Field:
    kind = int(rng.integers(8))
    if kind < 4:
        return clouds(rng, px)
    pattern = (_stripes, _weave, _checks, _dots)[kind - 4](rng, px)
    return pattern + float(rng.uniform(0, 0.6)) * clouds(rng, px)


def clouds(rng: np.random.Generator, px: int) -> Field:
    """Noise of random coarseness and direction: from cast metal to brushed metal to fog."""
    down = np.fft.fftfreq(px)[:, None]
    right = np.fft.rfftfreq(px)[None, :]
    turn, stretch = rng.uniform(0, np.pi), np.exp(rng.uniform(0, 2.5) * (rng.random() < 0.6))
    along = down * np.cos(turn) + right * np.sin(turn)
    across = right * np.cos(turn) - down * np.sin(turn)
    radius = np.sqrt((along * stretch) ** 2 + (across / stretch) ** 2) * px + 1.0
    phase = np.exp(2j * np.pi * rng.random(radius.shape))
    field = np.fft.irfft2(phase * radius ** -rng.uniform(0.2, 2.0), s=(px, px))
    return _standardized(field.astype(np.float32))


def _waves(rng: np.random.Generator, px: int, pitch_px: float) -> tuple[Field, Field]:
    turn = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)])
    y, x = np.mgrid[0:px, 0:px].astype(np.float32)
    bend = rng.uniform(0, 0.6) * np.sin(y * rng.uniform(0.01, 0.05))
    u = (x * np.cos(turn) + y * np.sin(turn)) / pitch_px + bend + rng.uniform(0, 1)
    v = (y * np.cos(turn) - x * np.sin(turn)) / pitch_px + rng.uniform(0, 1)
    return 2 * np.pi * u, 2 * np.pi * v


def _stripes(rng: np.random.Generator, px: int) -> Field:
    u, _ = _waves(rng, px, rng.uniform(4, 40))
    wave = np.sin(u)
    return np.asarray(np.sign(wave) if rng.random() < 0.4 else wave, dtype=np.float32)


def _weave(rng: np.random.Generator, px: int) -> Field:
    u, v = _waves(rng, px, rng.uniform(5, 24))
    return np.asarray(np.sin(u) * np.sin(v) + 0.5 * np.sin(u), dtype=np.float32)


def _checks(rng: np.random.Generator, px: int) -> Field:
    u, v = _waves(rng, px, rng.uniform(8, 50))
    return np.asarray(np.sign(np.sin(u) * np.sin(v)), dtype=np.float32)


def _dots(rng: np.random.Generator, px: int) -> Field:
    u, v = _waves(rng, px, rng.uniform(8, 30))
    return np.asarray(np.cos(u) + np.cos(v) > rng.uniform(-0.5, 1.2), dtype=np.float32)


def _standardized(field: Field) -> Field:
    return np.asarray((field - field.mean()) / (field.std() + 1e-6), dtype=np.float32)
