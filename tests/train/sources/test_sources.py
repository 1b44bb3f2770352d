"""Folders, arrays and Omniglot become pools in memory; what cannot be trained on is named."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from imprint.errors import (  # noqa: E402
    EmptyClassError,
    InvalidOptionError,
    InvalidTableError,
    NotFoundError,
    TooFewSupportsError,
)
from imprint.train.sources import open_splits  # noqa: E402
from imprint.train.sources.omniglot import by_alphabet  # noqa: E402
from imprint.train.sources.pool import split_classes  # noqa: E402
from train.shapes import patterns, pool_of  # noqa: E402

pytestmark = pytest.mark.train


def picture(pixels):
    shape = pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1)
    encoded = io.BytesIO()
    Image.fromarray(shape).save(encoded, "PNG")
    return encoded.getvalue()


def fill(folder, n_classes=8, n_each=3, *, channels=1, first=0):
    images, labels = patterns(n_classes, n_each, channels=channels)
    for i, (pixels, label) in enumerate(zip(images, labels, strict=True)):
        place = folder / f"kind-{first + label}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{i:03}.png").write_bytes(picture(pixels))
    return images


def part_names(splits):
    return [set(p.class_names) for p in (splits.train, splits.validation, splits.test)]


def test_a_folder_is_dealt_to_three_parts_without_a_class_in_two(tmp_path):
    images = fill(tmp_path)
    splits = open_splits(tmp_path, 16, seed=1)
    names = part_names(splits)
    assert sum(map(len, names)) == len(set.union(*names)) == 8
    assert [len(part) for part in names] == [4, 2, 2]
    assert splits.train.images.shape[1:] == (1, 16, 16)
    first = splits.train.class_names[0]
    number = int(first.removeprefix("kind-"))
    rows = splits.train.images[splits.train.labels == 0]
    assert np.array_equal(rows.numpy(), images[3 * number : 3 * number + 3])
    assert part_names(open_splits(tmp_path, 16, seed=2)) != names


def test_color_stays_color_and_sides_become_equal(tmp_path):
    fill(tmp_path, channels=3)
    wide = Image.new("RGB", (40, 20), "blue")
    wide.save(tmp_path / "kind-0" / "wide.jpg")
    splits = open_splits(tmp_path, 12)
    assert splits.train.images.shape[1:] == (3, 12, 12)


def test_named_parts_are_taken_as_they_are(tmp_path):
    for i, part in enumerate(("train", "val", "test")):
        fill(tmp_path / part, 3, 2, first=10 * i)
    names = part_names(open_splits(tmp_path, 16))
    assert names[1] == {"kind-10", "kind-11", "kind-12"}
    assert names[2] == {"kind-20", "kind-21", "kind-22"}


def test_files_that_cannot_be_read_are_left_out_and_listed(tmp_path):
    fill(tmp_path)
    whole = (tmp_path / "kind-1" / "003.png").read_bytes()
    (tmp_path / "kind-1" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "kind-2" / "notes.txt").write_text("not a picture")
    (tmp_path / "kind-2" / ".hidden").write_text("not looked at")
    splits = open_splits(tmp_path, 16)
    assert {one.name: one.reason for one in splits.left_out} == {
        "kind-1/cut.png": "damaged or cut off",
        "kind-2/notes.txt": "not an image",
    }
    pools = (splits.train, splits.validation, splits.test)
    assert sum(len(pool.images) for pool in pools) == 24


def test_a_class_without_a_readable_image_is_named(tmp_path):
    fill(tmp_path)
    (tmp_path / "kind-empty").mkdir()
    with pytest.raises(EmptyClassError, match=r"'kind-empty' .* \(0 files could not be read\)"):
        open_splits(tmp_path, 16)
    (tmp_path / "kind-empty" / "broken.png").write_bytes(b"nothing")
    with pytest.raises(EmptyClassError, match=r"\(1 files could not be read\)"):
        open_splits(tmp_path, 16)


@pytest.mark.parametrize(("n_classes", "said"), [(0, "0 class folders"), (1, "1 class folders")])
def test_fewer_than_two_classes_are_refused(tmp_path, n_classes, said):
    if n_classes:
        fill(tmp_path, n_classes)
    with pytest.raises(TooFewSupportsError, match=said):
        open_splits(tmp_path, 16)


def test_too_few_classes_for_three_parts_are_refused():
    with pytest.raises(TooFewSupportsError, match="there are 5 classes"):
        split_classes(pool_of(5, 2), 0)
    assert [len(p.class_names) for p in split_classes(pool_of(6, 2), 0)] == [2, 2, 2]


def test_arrays_are_read_scaled_and_resized(tmp_path):
    images, labels = patterns(8, 3)
    names = np.array([f"n{label}" for label in labels])
    np.savez(tmp_path / "bytes.npz", x=images[:, 0], y=names)
    np.savez(tmp_path / "shares.npz", x=images[:, 0, ..., None] / 255.0, y=names)
    plain, scaled = (open_splits(tmp_path / f"{n}.npz", 16) for n in ("bytes", "shares"))
    assert plain.content_hash() == scaled.content_hash()
    assert open_splits(tmp_path / "bytes.npz", 8).train.images.shape[1:] == (1, 8, 8)
    assert open_splits(tmp_path / "bytes.npz", 16, turned=True).train.n_classes == 4 * 4


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"a": np.zeros(3)}, "it needs x and y"),
        ({"x": np.zeros((4, 8)), "y": np.arange(4)}, r"shape \(4, 8\)"),
        ({"x": np.zeros((4, 8, 8)), "y": np.arange(3)}, "4 rows but y"),
        ({"x": np.full((4, 8, 8), -1.0), "y": np.arange(4)}, "goes from -1.0"),
        ({"x": np.full((4, 8, 8), np.nan), "y": np.arange(4)}, "not finite"),
        ({"x": np.zeros((0, 8, 8)), "y": np.arange(0)}, r"shape \(0, 8, 8\)"),
    ],
)
def test_arrays_of_another_form_are_refused(tmp_path, arrays, said):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InvalidTableError, match=said):
        open_splits(tmp_path / "a.npz", 8)


def test_a_file_that_is_no_npz_is_refused(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK broken")
    with pytest.raises(InvalidTableError):
        open_splits(tmp_path / "a.npz", 8)
    (tmp_path / "a.csv").write_text("x,y")
    with pytest.raises(InvalidOptionError, match="npz"):
        open_splits(tmp_path / "a.csv", 8)
    with pytest.raises(NotFoundError):
        open_splits(tmp_path / "nothing", 8)


def pack(folder, half, names, seed):
    drawings = np.random.default_rng(seed).random((len(names), 3, 21, 21)) > 0.8
    packed = np.packbits(drawings.reshape(len(names), 3, -1), axis=2)
    np.savez(folder / f"{half}.npz", images=packed, shape=[21, 21], classes=np.array(names))
    return drawings


@pytest.fixture
def drawings(tmp_path):
    names = [f"A{a}/character{c:02}" for a in range(6) for c in range(1, 4)]
    inked = pack(tmp_path, "background", names, 0)
    pack(tmp_path, "evaluation", ["E1/character01", "E1/character02", "E2/character01"], 1)
    split = {
        "train": {"background": {"A0": ["character01", "character03"]}, "evaluation": {}},
        "val": {"background": {"A1": ["character01", "character02"]}, "evaluation": {}},
        "test": {"background": {}, "evaluation": {"E1": ["character01", "character02"]}},
    }
    (tmp_path / "splits_vinyals.json").write_text(json.dumps(split))
    return inked


def test_the_published_split_is_followed_and_turned(tmp_path, drawings):
    splits = open_splits(tmp_path, 21)
    assert splits.train.class_names == ("A0/character01", "A0/character03")
    assert splits.train.n_classes == 8
    assert np.array_equal(splits.train.images[:3, 0].numpy(), drawings[0] * 255)
    assert np.array_equal(splits.train.images[3:, 0].numpy(), drawings[2] * 255)
    assert splits.test.class_names == ("E1/character01", "E1/character02")
    assert open_splits(tmp_path, 7).train.images.shape[2:] == (7, 7)


def test_training_on_background_alphabets_never_sees_evaluation_ones(tmp_path, drawings):
    splits = open_splits(tmp_path, 21, split="background")
    alphabets = [{n.split("/")[0] for n in names} for names in part_names(splits)]
    assert alphabets[0] | alphabets[1] == {f"A{a}" for a in range(6)}
    assert not alphabets[0] & alphabets[1]
    assert alphabets[2] == {"E1", "E2"}
    assert not splits.test.turned
    assert {name: len(pool.class_names) for name, pool in by_alphabet(splits.test).items()} == {
        "E1": 2, "E2": 1,
    }  # fmt: skip


def test_a_split_that_names_missing_characters_is_refused(tmp_path, drawings):
    split = json.loads((tmp_path / "splits_vinyals.json").read_text())
    split["test"]["evaluation"]["E1"].append("character77")
    (tmp_path / "splits_vinyals.json").write_text(json.dumps(split))
    with pytest.raises(InvalidTableError, match="do not hold"):
        open_splits(tmp_path, 21)
    (tmp_path / "splits_vinyals.json").unlink()
    with pytest.raises(NotFoundError, match="splits_vinyals"):
        open_splits(tmp_path, 21)


def test_the_real_omniglot_has_the_published_counts():
    place = Path(__file__).parents[3].parent / "shared" / "data" / "omniglot"
    if not place.exists():
        pytest.skip("the shared data sets are not beside this checkout")
    splits = open_splits(place, 8)
    pools = (splits.train, splits.validation, splits.test)
    assert [len(p.class_names) for p in pools] == [1028, 172, 423]
    assert all((p.sizes == 20).all() for p in pools)
