"""Pictures of invented words and sounds, rendered once and kept in a file of bytes.

A rendition is played by a voice or an instrument of its own, in a room, through a microphone and
over noise of its own, somewhere in a window with silence around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from imprint.train.audio_small.front import HOP, RANGE_LOG10, RATE_HZ, WINDOW, Front
from imprint.train.audio_small.sounds import draw_sound, play
from imprint.train.audio_small.speech import draw_voice, draw_word, speak
from imprint.train.augment.audio import in_a_room, through_a_channel, with_noise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from imprint.types import Waveform

    Source = Callable[[int, np.random.Generator], Iterator[Waveform]]

WORD_STEPS = 128
SOUND_STEPS = 256
# Most recordings are cut to what matters, some into it; around them is silence without any noise.
_CUT_OUT = 0.65
_INTO, _AROUND = round(0.03 * RATE_HZ), round(0.15 * RATE_HZ)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Classes of renditions: `pictures` is (n_classes, n_renditions, bands, steps) uint8.

    255 is the loudest moment of a rendition, 0 what lies RANGE_LOG10 decades below it or further.
    """

    name: str
    pictures: npt.NDArray[np.uint8]

    def save(self, folder: Path) -> None:
        """Write beside the target, then rename over it."""
        part = folder / f"{self.name}.part.npy"
        np.save(part, self.pictures)
        part.replace(folder / f"{self.name}.npy")

    @classmethod
    def load(cls, name: str, folder: Path) -> Corpus | None:
        """Read what `save` wrote; None where there is none."""
        path = folder / f"{name}.npy"
        return cls(name, np.load(path, allow_pickle=False)) if path.is_file() else None


def words(n_classes: int, n_renditions: int, seed: int) -> Corpus:
    """Invented words, each spoken by voices drawn anew."""
    return _rendered("words", one_word, WORD_STEPS, (n_classes, n_renditions, seed))


def sounds(n_classes: int, n_renditions: int, seed: int) -> Corpus:
    """Invented sounds that are not speech."""
    return _rendered("sounds", one_sound, SOUND_STEPS, (n_classes, n_renditions, seed))


def one_word(number: int, rng: np.random.Generator) -> Iterator[Waveform]:
    """Renditions of a word without end; the number is the word, `rng` how it is spoken."""
    word = draw_word(np.random.default_rng([number, 1]))
    while True:
        yield speak(word, draw_voice(rng), rng)


def one_sound(number: int, rng: np.random.Generator) -> Iterator[Waveform]:
    """Renditions of a sound without end; the number is the sound, `rng` how it is played."""
    sound = draw_sound(np.random.default_rng([number, 2]))
    while True:
        yield play(sound, float(rng.uniform(1.6, 2.6)), rng)


def _rendered(name: str, source: Source, n_steps: int, size: tuple[int, int, int]) -> Corpus:
    n_classes, n_renditions, seed = size
    n_frames = (n_steps - 1) * HOP + WINDOW
    front = Front()
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(n_classes):
        stream = source(number + seed * 1_000_003, rng)
        waves = [placed(next(stream), n_frames, rng) for _ in range(n_renditions)]
        with torch.no_grad():
            rows.append(as_bytes(front(torch.from_numpy(np.stack(waves)))[:, 0]))
    return Corpus(name, np.stack(rows))


def as_bytes(relative: torch.Tensor) -> npt.NDArray[np.uint8]:
    """Relative log power to 0 .. 255."""
    return ((relative / RANGE_LOG10 + 1.0) * 255.0).round().byte().numpy()


def placed(wave: Waveform, n_frames: int, rng: np.random.Generator) -> Waveform:
    """One rendition in its window: somewhere, in a room, through a channel, over noise."""
    wave = wave[:n_frames]
    before = int(rng.integers(0, n_frames - len(wave) + 1))
    whole = np.zeros(n_frames, np.float32)
    whole[before : before + len(wave)] = wave
    if rng.random() < 0.4:
        decay_s, wet_ratio = float(rng.uniform(0.1, 0.6)), float(10 ** rng.uniform(-2, 0.0))
        whole = in_a_room(whole, RATE_HZ, decay_s, wet_ratio, rng)
    if rng.random() < 0.9:
        whole = with_noise(whole, float(rng.uniform(8, 55)), rng, slope=float(rng.uniform(0, 2)))
    highest = float(rng.choice([3_600, 4_000, 5_500, 7_800]))
    lowest_hz = float(rng.choice([0, 60, 200, 300], p=[0.4, 0.3, 0.15, 0.15]))
    deaf = rng.random() < 0.6
    whole = through_a_channel(
        whole, RATE_HZ, rng, lowest_hz=lowest_hz, highest_hz=highest if deaf else None
    )
    if rng.random() < _CUT_OUT:
        margins = rng.integers(-_INTO, _AROUND, 2)
        whole[: max(0, before - margins[0])] = 0
        whole[max(0, before + len(wave) + margins[1]) :] = 0
    return whole
