"""The shipped audio encoder: any rate, gain and length; bits that stay; a card that fits."""

import json
import shutil

import numpy as np
import pytest

from imprint.encoders.audio.encoder import SoundEncoder
from imprint.errors import InvalidOptionError, ModelHashError
from imprint.intake.decode import to_sample
from imprint.types import Sound

MOST_BYTES = 4_000_000


def call(rate_hz, seconds=0.8, pitch_hz=300.0, bend=1.6):
    """A bent tone with overtones under 3 kHz, so that every rate from 8 kHz on can hold it."""
    at = np.arange(round(rate_hz * seconds)) / rate_hz
    phase = 2 * np.pi * pitch_hz * at * (1 + (bend - 1) * at / seconds / 2)
    wave = sum(np.sin(k * phase) / k for k in range(1, 6)) * np.sin(np.pi * at / seconds) ** 2
    wave += 0.001 * np.sin(2 * np.pi * 50 * at)
    return (0.3 * wave).astype(np.float32)


def sample(waveform, rate_hz):
    return to_sample(Sound(waveform, rate_hz), "audio")


@pytest.fixture(scope="module")
def shipped():
    return SoundEncoder.shipped()


def test_it_is_small_and_says_where_it_comes_from(shipped):
    assert shipped.model_path.stat().st_size < MOST_BYTES
    card = shipped.card
    assert card["license"] == "Apache-2.0"
    assert "invented" in card["about"]
    assert card["dim"] == shipped.dim == shipped.encode([sample(call(16_000), 16_000)]).shape[1]


def test_its_bank_is_vectors_of_its_width(shipped):
    bank = shipped.background
    assert bank is not None
    assert bank.shape[0] >= 500
    assert bank.shape[1] == shipped.dim


@pytest.mark.parametrize("rate_hz", [11_025, 22_050, 44_100, 48_000, 96_000])
def test_the_sample_rate_hardly_matters(shipped, rate_hz):
    here, there = shipped.encode([sample(call(16_000), 16_000), sample(call(rate_hz), rate_hz)])
    other = shipped.encode([sample(call(16_000, pitch_hz=500, bend=0.5), 16_000)])[0]
    assert here @ there > 0.9
    assert here @ there > here @ other


def test_gain_does_not_matter(shipped):
    loud, soft = shipped.encode([sample(call(16_000) * g, 16_000) for g in (1.0, 0.05)])
    assert loud @ soft > 0.99


@pytest.mark.parametrize("seconds", [0.12, 0.3, 1.0, 6.0, 6.1, 30.0])
def test_every_length_that_may_come_in_has_a_direction(shipped, seconds):
    row = shipped.encode([sample(call(16_000, seconds), 16_000)])
    assert np.isfinite(row).all()
    np.testing.assert_allclose(np.linalg.norm(row), 1, atol=1e-5)


def test_silence_has_a_direction_too(shipped):
    assert np.isfinite(shipped.encode([sample(np.zeros(16_000, np.float32), 16_000)])).all()


def test_what_comes_after_the_first_window_counts(shipped):
    first, second = call(16_000, 6.0), call(16_000, 6.0, 900, 0.6)
    alone, joined = shipped.encode(
        [sample(first, 16_000), sample(np.concatenate([first, second]), 16_000)]
    )
    late = shipped.encode([sample(second, 16_000)])[0]
    assert joined @ late > alone @ late + 0.1


def copied(tmp_path, shipped, **changes):
    path = tmp_path / "m.onnx"
    shutil.copy(shipped.model_path, path)
    return path, {**json.loads(json.dumps(shipped.card)), **changes}


def test_another_preprocessing_is_another_version(tmp_path, shipped):
    path, card = copied(tmp_path, shipped)
    assert SoundEncoder(path, card).version == shipped.version
    card["preprocessing"]["around_s"] = 0.2
    assert SoundEncoder(path, card).version != shipped.version


def test_a_card_that_does_not_match_its_file_is_refused(tmp_path, shipped):
    path, card = copied(tmp_path, shipped, sha256="0" * 64)
    with pytest.raises(ModelHashError, match="another model"):
        SoundEncoder(path, card)
    with pytest.raises(InvalidOptionError, match="preprocessing"):
        SoundEncoder(path, {"name": "m"})
    with pytest.raises(ModelHashError, match="missing"):
        SoundEncoder(tmp_path / "none.onnx", {**card, "sha256": None})
