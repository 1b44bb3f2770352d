"""Resampling keeps time, pitch and length; the oracle is the tone itself at the other rate."""

import numpy as np
import pytest

from imprint.encoders.audio.resample import resampled


def tone(rate_hz, seconds=0.5, pitch_hz=440.0):
    at = np.arange(round(rate_hz * seconds)) / rate_hz
    fade = np.sin(np.pi * at / seconds) ** 2
    return (fade * np.sin(2 * np.pi * pitch_hz * at)).astype(np.float32)


@pytest.mark.parametrize("rate_hz", [4_000, 8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 191_999])
def test_a_tone_of_any_rate_becomes_the_tone_at_16_khz(rate_hz):
    found = resampled(tone(rate_hz), rate_hz, 16_000)
    expected = tone(16_000)
    assert found.dtype == np.float32
    assert abs(len(found) - len(expected)) <= 1
    n = min(len(found), len(expected))
    np.testing.assert_allclose(found[:n], expected[:n], atol=2e-3)


def test_what_the_lower_rate_cannot_hold_is_gone():
    assert np.abs(resampled(tone(48_000, pitch_hz=12_000), 48_000, 16_000)).max() < 1e-3


def test_the_same_rate_changes_nothing():
    waveform = tone(16_000)
    assert np.array_equal(resampled(waveform, 16_000, 16_000), waveform)


def test_the_same_bits_come_out_every_time():
    waveform = tone(44_100)
    first = resampled(waveform, 44_100, 16_000)
    assert all(np.array_equal(resampled(waveform, 44_100, 16_000), first) for _ in range(3))


def test_one_frame_stays_at_least_one_frame():
    assert len(resampled(np.ones(1, np.float32), 192_000, 16_000)) == 1
