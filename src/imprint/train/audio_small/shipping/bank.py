"""The background bank of audio-small: vectors of invented words and sounds of no class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imprint.intake.decode import to_sample
from imprint.train.audio_small.corpus import one_sound, one_word, placed
from imprint.train.audio_small.front import RATE_HZ
from imprint.types import Sound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from imprint.encoders.protocol import Encoder
    from imprint.types import Sample

N_WORDS = 500
N_SOUNDS = 300
# Far from any seed of a corpus: no class of the bank was trained on.
_FIRST_CLASS = 2_000_000_000


def bank_samples(seed: int, n_words: int = N_WORDS, n_sounds: int = N_SOUNDS) -> list[Sample]:
    """One rendition each of words and sounds no corpus holds."""
    rng = np.random.default_rng([seed, _FIRST_CLASS])
    samples = []
    for number in range(n_words + n_sounds):
        source = one_word if number < n_words else one_sound
        wave = next(source(_FIRST_CLASS + number, rng))
        n_frames = len(wave) + int(rng.integers(0, RATE_HZ // 2))
        heard = placed(wave, n_frames, rng)
        heard /= max(float(np.abs(heard).max()), 1e-6)
        samples.append(to_sample(Sound(heard, RATE_HZ), "audio"))
    return samples


def write_bank(encoder: Encoder, samples: Sequence[Sample], path: Path, story: str) -> None:
    """Embed and write int8 rows; only their direction counts, so no scale is kept."""
    from safetensors.numpy import save

    vectors = encoder.encode(samples)
    rows = np.round(vectors * (127.0 / np.abs(vectors).max(axis=1, keepdims=True)))
    facts = {"encoder": encoder.version, "from": story}
    path.write_bytes(save({"vectors": rows.astype(np.int8)}, metadata=facts))
