"""Changes to recordings do what they say: exact noise ratios and shifts, masks of one value."""

import numpy as np
import pytest

from imprint.train.augment.audio import (
    at_speed,
    band_masked,
    in_a_room,
    shifted,
    through_a_channel,
    time_masked,
    with_noise,
)

RATE = 16_000


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def tone(pitch_hz=500.0, seconds=0.5):
    at = np.arange(int(RATE * seconds)) / RATE
    return (0.5 * np.sin(2 * np.pi * pitch_hz * at)).astype(np.float32)


def loudest_hz(waveform):
    return np.abs(np.fft.rfft(waveform)).argmax() * RATE / len(waveform)


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 20.0, 40.0])
@pytest.mark.parametrize("slope", [0.0, 1.0, 2.0])
def test_noise_comes_at_the_ratio_asked_for(rng, snr_db, slope):
    clean = tone()
    added = with_noise(clean, snr_db, rng, slope=slope).astype(np.float64) - clean
    ratio = np.mean(clean.astype(np.float64) ** 2) / np.mean(added**2)
    assert 10 * np.log10(ratio) == pytest.approx(snr_db, abs=0.05)


def test_noise_of_a_slope_is_stronger_below(rng):
    added = with_noise(tone(), 0.0, rng, slope=2.0) - tone()
    power = np.abs(np.fft.rfft(added)) ** 2
    assert power[1:100].sum() > 100 * power[-2000:].sum()


def test_silence_stays_silent(rng):
    assert not with_noise(np.zeros(100, np.float32), 10.0, rng).any()


def test_a_shift_moves_and_fills_with_silence():
    row = np.arange(1, 6, dtype=np.float32)
    assert shifted(row, 2).tolist() == [0, 0, 1, 2, 3]
    assert shifted(row, -2).tolist() == [3, 4, 5, 0, 0]
    assert shifted(row, 0).tolist() == row.tolist()
    assert not shifted(row, 9).any()
    assert not shifted(row, -9).any()


def test_faster_is_shorter_and_higher():
    fast = at_speed(tone(500.0), 1.25)
    assert len(fast) == round(len(tone()) / 1.25)
    assert loudest_hz(fast) == pytest.approx(625, abs=4)
    with pytest.raises(ValueError, match="above 0"):
        at_speed(tone(), 0.0)


def test_a_room_adds_a_tail_of_the_power_asked_for(rng):
    click = np.zeros(RATE, np.float32)
    click[100] = 1.0
    heard = in_a_room(click, RATE, 0.3, 0.25, rng).astype(np.float64)
    assert heard[100] == pytest.approx(1.0, abs=1e-5)
    assert np.abs(heard[:100]).max() < 1e-6
    assert np.sum(heard[101:] ** 2) == pytest.approx(0.25, rel=1e-3)
    assert np.sum(heard[101:1000] ** 2) > np.sum(heard[3000:] ** 2)


def test_a_channel_is_deaf_outside_its_band(rng):
    low, high = tone(100.0), tone(6000.0)
    telephone = {"lowest_hz": 300.0, "highest_hz": 3400.0, "spread_db": 0.0}
    assert np.std(through_a_channel(low, RATE, rng, **telephone)) < 0.1 * np.std(low)
    assert np.std(through_a_channel(high, RATE, rng, **telephone)) < 0.1 * np.std(high)
    middle = tone(1000.0)
    assert np.std(through_a_channel(middle, RATE, rng, **telephone)) > 0.9 * np.std(middle)


def test_masks_hide_one_stretch_and_leave_the_rest(rng):
    picture = np.ones((20, 30), np.float32)
    widths = []
    for _ in range(50):
        hidden = time_masked(picture, rng, most=8, fill=-6.0)
        columns = np.flatnonzero((hidden == -6.0).all(axis=0))
        widths.append(len(columns))
        assert (np.diff(columns) == 1).all()
        assert (hidden == 1.0).sum() == picture.size - 20 * len(columns)
        assert (band_masked(picture, rng, most=8, fill=0.0) == 0).all(axis=1).sum() <= 8
    assert max(widths) == 8
    assert min(widths) == 0
    assert picture.all()


def test_the_same_seed_gives_the_same_change():
    def once():
        rng = np.random.default_rng(3)
        return with_noise(in_a_room(tone(), RATE, 0.2, 0.1, rng), 10.0, rng)

    assert np.array_equal(once(), once())
