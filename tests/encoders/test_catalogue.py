"""Encoders by name and version: the right one, or an error that says what to do."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from encoders.tiny import sample, samples_of, write_bert, write_onnx
from imprint.encoders.catalogue import (
    add,
    list_encoders,
    load_encoder,
    load_version,
    minilm,
    pull,
)
from imprint.encoders.weights.cache import ModelCache
from imprint.errors import (
    EncoderMismatchError,
    EncoderNotFoundError,
    InvalidNameError,
    InvalidOptionError,
    ModelHashError,
)
from imprint.settings import Settings
from imprint.types import MODALITIES

if TYPE_CHECKING:
    from imprint.encoders.protocol import Encoder
    from imprint.types import Modality


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(EncoderNotFoundError, match=r"minilm-l6-int8.*models add"):
        load_encoder("no-such", cache_dir=tmp_path)


def test_every_modality_has_an_encoder_that_ships_or_can_be_fetched(tmp_path: Path) -> None:
    for modality in MODALITIES:
        name = Settings().encoder_for(modality)
        found = next(one for one in list_encoders(cache_dir=tmp_path) if one.name == name)
        assert found.modality == modality


def test_versions_of_the_text_encoder_are_fixed_for_good() -> None:
    # A change here makes every taught text collection ask for vectors nobody can make any more.
    assert minilm.version("fp32") == "minilm-l6-fp32@d5bd18f6b4aefcc0"
    assert minilm.version("int8") == "minilm-l6-int8@667e8950847e2dd1"


def test_listing_needs_no_files_and_touches_none(tmp_path: Path) -> None:
    listed = {one.name: one for one in list_encoders(cache_dir=tmp_path / "none")}
    assert {"minilm-l6", "minilm-l6-fp32", "minilm-l6-int8", "toy-text"} <= set(listed)
    assert not listed["minilm-l6-int8"].ready
    assert listed["toy-text"].ready
    assert not (tmp_path / "none").exists()


def test_importing_the_catalogue_loads_no_runtime() -> None:
    heavy = "{'onnx', 'onnxruntime', 'tokenizers', 'huggingface_hub', 'PIL'}"
    code = f"import sys, imprint.encoders.catalogue; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("name", ["toy-text", "toy-image", "toy-audio"])
def test_a_version_opens_the_encoder_it_names(tmp_path: Path, name: str) -> None:
    version = load_encoder(name, cache_dir=tmp_path).version
    assert load_version(version, cache_dir=tmp_path).version == version
    assert load_encoder(version, cache_dir=tmp_path).version == version


@pytest.mark.parametrize("name", ["minilm-l6-int8", "toy-text"])
def test_another_version_of_a_built_in_is_refused_with_both_names(
    tmp_path: Path, name: str
) -> None:
    wanted = f"{name}@0123456789abcdef"
    with pytest.raises(EncoderMismatchError, match=rf"{wanted}.*{name}@(?!0123)"):
        load_version(wanted, cache_dir=tmp_path)


def test_a_version_of_nobody_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(EncoderNotFoundError, match="lost@0123"):
        load_version("lost@0123456789abcdef", cache_dir=tmp_path)


def test_a_folder_is_added_by_its_name_and_loaded_by_name_and_version(tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "tiny")
    listing = add(folder, cache_dir=tmp_path / "cache")
    shutil.rmtree(folder)
    assert (listing.name, listing.modality, listing.ready) == ("tiny", "text", True)
    encoder = load_encoder("tiny", cache_dir=tmp_path / "cache")
    assert encoder.version == listing.version
    assert load_version(encoder.version, cache_dir=tmp_path / "cache").dim == 8
    assert listing in list_encoders(cache_dir=tmp_path / "cache")


def test_both_arithmetics_of_a_folder_can_be_added(tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "tiny")
    vectors = []
    for variant in ("fp32", "int8"):
        add(folder, cache_dir=tmp_path, name=f"tiny-{variant}", variant=variant)  # type: ignore[arg-type]
        encoder = load_encoder(f"tiny-{variant}", cache_dir=tmp_path)
        vectors.append(encoder.encode(samples_of("text")))
    assert not np.array_equal(*vectors)
    assert np.einsum("ij,ij->i", *vectors).min() > 0.99


def test_a_name_moves_to_the_model_added_last_and_the_older_stays(tmp_path: Path) -> None:
    older = add(write_bert(tmp_path / "a"), cache_dir=tmp_path, name="mine").version
    newer = add(write_bert(tmp_path / "b", seed=1), cache_dir=tmp_path, name="mine").version
    assert older != newer
    assert older is not None
    assert load_encoder("mine", cache_dir=tmp_path).version == newer
    assert load_version(older, cache_dir=tmp_path).version == older


def test_a_version_not_here_of_a_name_that_is_names_both(tmp_path: Path) -> None:
    here = add(write_bert(tmp_path / "a"), cache_dir=tmp_path, name="mine").version
    with pytest.raises(EncoderMismatchError, match=rf"mine@0{{16}}.*{here}"):
        load_version(f"mine@{'0' * 16}", cache_dir=tmp_path)


def test_a_built_in_name_cannot_be_taken(tmp_path: Path) -> None:
    with pytest.raises(InvalidNameError, match="built-in"):
        add(write_bert(tmp_path / "m"), cache_dir=tmp_path, name="minilm-l6")


def test_what_is_neither_folder_nor_onnx_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidOptionError, match=r"folder or an \.onnx file"):
        add(tmp_path / "missing.onnx", cache_dir=tmp_path)


def test_a_broken_tokenizer_or_weights_file_never_gets_in(tmp_path: Path) -> None:
    for name in ("tokenizer.json", "model.safetensors"):
        folder = write_bert(tmp_path / name.partition(".")[0])
        (folder / name).write_text("not one")
        with pytest.raises(InvalidOptionError, match=r"tokenizer|weights"):
            add(folder, cache_dir=tmp_path / "cache")
    assert ModelCache(tmp_path / "cache").versions() == []


def test_a_tampered_added_encoder_is_refused(tmp_path: Path) -> None:
    version = add(write_bert(tmp_path / "tiny"), cache_dir=tmp_path).version
    assert version is not None
    (ModelCache(tmp_path).folder(version) / "tensors.bin").write_bytes(b"other")
    with pytest.raises(ModelHashError, match=version):
        load_encoder("tiny", cache_dir=tmp_path)


@pytest.mark.parametrize("modality", ["text", "image", "audio"])
def test_an_onnx_file_with_a_card_is_added(tmp_path: Path, modality: Modality) -> None:
    path = write_onnx(tmp_path / "files", modality)
    listing = add(path, cache_dir=tmp_path / "cache")
    encoder = load_encoder(f"tiny-{modality}", cache_dir=tmp_path / "cache")
    assert encoder.version == listing.version
    assert encoder.encode(samples_of(modality)).shape == (len(samples_of(modality)), 4)


def test_a_damaged_text_encoder_is_rebuilt_from_verified_weights(
    cache_dir: Path, text_encoder: Encoder, tmp_path: Path
) -> None:
    kept = ModelCache(cache_dir)
    mine = ModelCache(tmp_path)
    for sha256 in minilm.PINNED.files.values():
        if not kept.weight(sha256).is_file():
            pytest.skip("the cache was built elsewhere and holds no weights")
        mine.weight(sha256).parent.mkdir(exist_ok=True)
        mine.weight(sha256).symlink_to(kept.weight(sha256))
    folder = mine.folder(text_encoder.version)
    shutil.copytree(kept.folder(text_encoder.version), folder)
    (folder / "tensors.bin").write_bytes(b"damaged")
    again = load_version(text_encoder.version, cache_dir=tmp_path)
    texts = [sample("the same as before")]
    assert np.array_equal(again.encode(texts), text_encoder.encode(texts))


def test_the_default_is_the_measured_choice(cache_dir: Path, text_encoder: Encoder) -> None:
    listing = pull("minilm-l6", cache_dir=cache_dir)
    choice = json.loads((cache_dir / "choices" / "minilm-l6.json").read_text())
    assert listing.version == choice["versions"][choice["variant"]]
    wins = choice["speed_ratio"] >= minilm.LEAST_SPEED_RATIO
    agrees = choice["least_agreement"] >= minilm.LEAST_AGREEMENT
    assert (choice["variant"] == "int8") == (wins and agrees)
