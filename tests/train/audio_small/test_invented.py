"""Invented words and sounds: the same from the same seed, alike within a class, of sane size."""

import numpy as np
import pytest

from imprint.train.audio_small.sounds import PATTERNS, TIMBRES, SoundClass, draw_sound, play
from imprint.train.audio_small.speech import RATE_HZ, Segment, Voice, draw_voice, draw_word, speak


def spectrum(waveform):
    return np.abs(np.fft.rfft(waveform, 1 << 15)) ** 2


def plain_voice(**changes):
    steady = {
        "tract": 1.0, "pitch_hz": 120.0, "pitch_fall": 0.0, "pace": 1.0, "tilt": 0.5,
        "breath": 0.0, "width": 1.0, "blur_s": 0.03, "slur": 0.0,
        "accent": (1.0, 1.0, 1.0), "hush": 1.0,
    }  # fmt: skip
    return Voice(**{**steady, **changes})


def peak_hz(waveform, low_hz, high_hz):
    """Center of the band of 100 Hz that holds most power between two frequencies."""
    hz = np.fft.rfftfreq(1 << 15, 1 / RATE_HZ)
    power = np.convolve(spectrum(waveform), np.ones(400) / 400, mode="same")
    power[(hz < low_hz) | (hz > high_hz)] = 0
    return hz[power.argmax()]


def test_words_are_words_long():
    rng = np.random.default_rng(0)
    lengths = [len(speak(draw_word(rng), draw_voice(rng), rng)) / RATE_HZ for _ in range(40)]
    assert 0.2 < np.median(lengths) < 1.2
    assert max(lengths) < 4


def test_a_vowel_resonates_where_it_was_told_to():
    vowel = (Segment(0.5, (700.0, 1200.0, 2500.0), voiced=1.0),)
    spoken = speak(vowel, plain_voice(), np.random.default_rng(1))
    assert peak_hz(spoken, 400, 950) == pytest.approx(700, abs=120)


def test_a_shorter_tract_moves_resonances_up():
    vowel = (Segment(0.5, (500.0, 1500.0, 2500.0), voiced=1.0),)
    long, short = (
        peak_hz(speak(vowel, plain_voice(tract=t), np.random.default_rng(1)), 250, 900)
        for t in (0.85, 1.3)
    )
    assert short > long + 100


def test_a_hiss_lies_where_it_was_told_to():
    hiss = (Segment(0.4, (350.0, 1700.0, 2550.0), hiss=0.3, hiss_hz=6000.0, hiss_octaves=0.3),)
    assert 4800 < peak_hz(speak(hiss, plain_voice(), np.random.default_rng(2)), 100, 8000) < 7200


def test_the_same_seed_says_the_same_and_another_says_it_differently():
    word = draw_word(np.random.default_rng(4))

    def said(seed):
        return speak(word, plain_voice(), np.random.default_rng(seed))

    assert np.array_equal(said(1), said(1))
    assert len(said(1)) != len(said(2)) or not np.array_equal(said(1), said(2))


@pytest.mark.parametrize("timbre", TIMBRES)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_timbre_in_every_pattern_can_be_heard(timbre, pattern):
    rng = np.random.default_rng(7)
    drawn = draw_sound(rng)
    parts = {name: getattr(drawn, name) for name in SoundClass.__slots__}
    sound = SoundClass(**{**parts, "timbre": timbre, "pattern": pattern, "period_s": 0.3})
    wave = play(sound, 2.0, rng)
    assert len(wave) == 2 * RATE_HZ
    assert np.isfinite(wave).all()
    assert np.abs(wave).max() == pytest.approx(1.0, abs=1e-3)


def test_an_even_pattern_is_even():
    rng = np.random.default_rng(8)
    drawn = draw_sound(rng)
    parts = {name: getattr(drawn, name) for name in SoundClass.__slots__}
    parts |= {"timbre": "click", "pattern": "even", "period_s": 0.25, "colors": (0.0,) * 6}
    wave = play(SoundClass(**{**parts, "attack_s": 0.001, "decay_s": 0.006}), 2.5, rng)
    level = np.convolve(np.abs(wave), np.ones(160) / 160)[::160]
    starts = np.flatnonzero((level[1:] > 0.1 * level.max()) & (level[:-1] <= 0.1 * level.max()))
    gaps = np.diff(starts) / 100
    assert 5 <= len(starts) <= 20
    assert gaps.std() < 0.25 * gaps.mean()
