"""The recipe of audio-small in miniature: front end against numpy, learning, resuming, export."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from imprint.train.audio_small import loop, recipe  # noqa: E402
from imprint.train.audio_small.batches import changed, drawn  # noqa: E402
from imprint.train.audio_small.corpus import Corpus, sounds, words  # noqa: E402
from imprint.train.audio_small.front import (  # noqa: E402
    HOP,
    N_BANDS,
    RANGE_LOG10,
    RATE_HZ,
    WINDOW,
    Front,
    mel_weights,
)
from imprint.train.audio_small.network import DIM, Network  # noqa: E402
from imprint.train.audio_small.shipping import publish  # noqa: E402
from imprint.train.audio_small.shipping.bank import bank_samples, write_bank  # noqa: E402
from imprint.train.audio_small.shipping.export import (  # noqa: E402
    embedding_of,
    parity,
    write_model,
)

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def corpora():
    return [words(6, 4, 0), sounds(4, 4, 0)]


def test_the_front_end_is_the_spectrogram_numpy_gives():
    rng = np.random.default_rng(0)
    wave = (rng.normal(size=RATE_HZ // 2) * np.linspace(0.01, 1, RATE_HZ // 2)).astype(np.float32)
    starts = range(0, len(wave) - WINDOW + 1, HOP)
    window = np.hanning(WINDOW + 1)[:-1]
    frames = np.stack([wave[s : s + WINDOW] * window for s in starts])
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2 @ mel_weights()
    expected = np.log10(power + 1e-12)
    expected = np.maximum(expected - expected.max(), -RANGE_LOG10).T
    found = Front()(torch.from_numpy(wave)[None])[0, 0].numpy()
    assert found.shape == (N_BANDS, len(starts))
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_every_band_hears_something():
    weights = mel_weights()
    np.testing.assert_allclose(weights.sum(axis=0), 1, atol=1e-5)
    assert (weights >= 0).all()


def test_renditions_of_a_class_differ_and_a_seed_fixes_them(corpora):
    pictures = corpora[0].pictures
    assert pictures.shape == (6, 4, N_BANDS, 128)
    assert (pictures[:, 0] != pictures[:, 1]).any(axis=(1, 2)).all()
    assert (pictures.max(axis=(2, 3)) == 255).all()
    assert np.array_equal(words(2, 4, 0).pictures[0], pictures[0])


def test_a_changed_picture_stays_relative_and_finite(corpora):
    rows = torch.from_numpy(corpora[1].pictures[:, 0])
    found = changed(rows, np.random.default_rng(1))
    assert found.shape == (4, 1, N_BANDS, 256)
    assert torch.isfinite(found).all()
    assert float(found.max()) <= 0.0
    assert float(found.min()) >= -RANGE_LOG10


def test_contrast_is_the_formula_written_out():
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(6, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = np.array([0, 0, 1, 1, 2, 2])
    total = 0.0
    for i in range(6):
        others = [j for j in range(6) if j != i]
        bottom = sum(np.exp(vectors[i] @ vectors[j] / 0.1) for j in others)
        partner = next(j for j in others if labels[j] == labels[i])
        total -= np.log(np.exp(vectors[i] @ vectors[partner] / 0.1) / bottom)
    found = loop.contrast(torch.from_numpy(vectors), torch.from_numpy(labels), 0.1)
    assert float(found) == pytest.approx(total / 6)


def test_it_learns_is_saved_and_goes_on_after_a_kill(corpora, tmp_path, monkeypatch):
    settings = loop.LoopSettings(2.0, sizes=(6, 4))
    monkeypatch.setattr(loop, "SAVE_EVERY_S", 0.3)
    monkeypatch.setattr(loop, "TELL_EVERY_S", 0.1)
    network = loop.train(corpora, settings, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert lines[-1]["losses"]["words"] < lines[0]["losses"]["words"]
    again = loop.load_network(tmp_path / "network.pt")
    batch = drawn(corpora[0], 3, 2, np.random.default_rng(0)).pictures
    with torch.no_grad():
        assert torch.equal(network(batch), again(batch))
    run = loop._Run(settings, tmp_path)
    run.resume()
    assert run.step > 0
    assert run.used_s > 0
    with pytest.raises(RuntimeError, match="other settings"):
        loop.train(corpora, loop.LoopSettings(9.0), tmp_path)


def test_a_loss_that_is_no_number_stops_the_run(corpora, tmp_path):
    run = loop._Run(loop.LoopSettings(1.0), tmp_path)
    with torch.no_grad():
        run.network.out.weight.fill_(float("nan"))
    with pytest.raises(RuntimeError, match="peak-rate"):
        run.learn(drawn(corpora[0], 3, 2, np.random.default_rng(0)), "words")


def test_the_exported_file_gives_torchs_vectors_and_a_bank(corpora, tmp_path):
    torch.manual_seed(1)
    embedding = embedding_of(Network().eval(), corpora)
    encoder = write_model(embedding, tmp_path, "tiny", publish.story("none", {}))
    samples = bank_samples(0, n_words=4, n_sounds=3)
    assert parity(embedding, encoder, samples) > 0.99999
    write_bank(encoder, samples, tmp_path / "bank.safetensors", "seven invented sounds")
    from safetensors.numpy import load_file

    kept = load_file(tmp_path / "bank.safetensors")["vectors"].astype(np.float32)
    kept /= np.linalg.norm(kept, axis=1, keepdims=True)
    assert kept.shape == (7, DIM)
    assert (kept * encoder.encode(samples)).sum(axis=1).min() > 0.999


def test_the_commands_run_from_nothing_to_a_published_encoder(tmp_path, monkeypatch):
    out, into = tmp_path / "run", tmp_path / "encoders"
    (into / "models").mkdir(parents=True)
    (into / "banks").mkdir()
    monkeypatch.setattr(recipe, "N_RENDITIONS", 4)
    monkeypatch.setattr(recipe, "keep_freed_memory", lambda: True)
    monkeypatch.setattr(publish, "bank_samples", lambda seed: bank_samples(seed, 2, 2))
    recipe.main(["--out", str(out), "--minutes", "0.005", "--words", "12", "--sounds", "6"])
    assert Corpus.load("words", out) is not None
    publish.main(["--run", str(out), "--into", str(into), "--command", "a test"])
    card = json.loads((into / "models" / "audio-small.json").read_text())
    assert card["recipe"]["command"] == "a test"
    assert (into / "banks" / "audio-small.safetensors").is_file()
