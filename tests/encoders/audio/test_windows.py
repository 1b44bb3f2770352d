"""How recordings are cut: padded when short, windows when long, silence left out."""

import numpy as np
import pytest

from imprint.encoders.audio.windows import SoundRecipe, windows
from imprint.errors import InvalidOptionError
from imprint.types import Sound

RATE = 16_000


def noise(seconds, seed=0):
    level = np.random.default_rng(seed).normal(size=round(RATE * seconds))
    return (0.1 * level).astype(np.float32)


def test_a_short_recording_lies_in_the_middle_of_the_least_length():
    (only,) = windows(Sound(noise(0.2), RATE), SoundRecipe())
    assert len(only) == round(0.64 * RATE)
    assert np.array_equal(only[3520 : 3520 + 3200], noise(0.2))
    assert not only[:3520].any()


def test_up_to_the_window_it_is_heard_whole():
    (only,) = windows(Sound(noise(6.0), RATE), SoundRecipe())
    assert len(only) == round(6.16 * RATE)


@pytest.mark.parametrize(("seconds", "n_windows"), [(6.01, 2), (9.0, 2), (12.0, 3), (30.0, 9)])
def test_a_long_recording_is_covered_from_beginning_to_end(seconds, n_windows):
    waveform = noise(seconds)
    found = windows(Sound(waveform, RATE), SoundRecipe())
    assert len(found) == n_windows
    inner = [one[round(0.08 * RATE) :][: 6 * RATE] for one in found]
    assert np.array_equal(inner[0], waveform[: 6 * RATE])
    assert np.array_equal(inner[-1], waveform[-6 * RATE :])


def test_silent_stretches_of_a_long_recording_do_not_count():
    waveform = np.concatenate([noise(6.0), np.zeros(18 * RATE, np.float32)])
    found = windows(Sound(waveform, RATE), SoundRecipe())
    assert 1 <= len(found) <= 3
    assert all(one.any() for one in found)


def test_a_wholly_silent_recording_still_has_a_window():
    assert windows(Sound(np.zeros(10 * RATE, np.float32), RATE), SoundRecipe())


def test_a_recipe_says_what_it_does_not_know():
    with pytest.raises(InvalidOptionError, match="tempo"):
        SoundRecipe.from_json({"tempo": 3})
    with pytest.raises(InvalidOptionError, match="spectrum"):
        SoundRecipe.from_json({"resampling": "nearest"})
    with pytest.raises(InvalidOptionError, match="step_s"):
        SoundRecipe.from_json({"step_s": 0})
    assert SoundRecipe.from_json(SoundRecipe().to_json()) == SoundRecipe()
