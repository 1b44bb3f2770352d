"""The recipe of image-small in miniature: it learns, carries over to new classes, and exports."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from imprint.encoders.image import ImageEncoder, read_card  # noqa: E402
from imprint.encoders.pixels import PixelRecipe  # noqa: E402
from imprint.intake.decode import to_sample  # noqa: E402
from imprint.train.augment.image import Dice, drawing_views, photo_views  # noqa: E402
from imprint.train.image_small.backbone import Trunk  # noqa: E402
from imprint.train.image_small.local.branch import LocalBranch  # noqa: E402
from imprint.train.image_small.loop import (  # noqa: E402
    LoopSettings,
    NotFiniteLossError,
    train_jointly,
)
from imprint.train.image_small.recipe import Diary, load_trunk, save_trunk  # noqa: E402
from imprint.train.image_small.sets import ImageSet, held_out  # noqa: E402
from imprint.train.image_small.shipping.bank import drawn, write_bank  # noqa: E402
from imprint.train.image_small.shipping.embedding import Embedding, fitted, shown_of  # noqa: E402
from imprint.train.image_small.shipping.export import (  # noqa: E402
    parity,
    write_eight_bit_model,
    write_model,
)

pytestmark = pytest.mark.train

N_CLASSES, N_EACH, SIDE = 24, 12, 32


def strokes(seed=3):
    """Made-up characters: five random points joined by lines, each drawn with a shaky hand."""
    from PIL import Image, ImageDraw

    rng = np.random.default_rng(seed)
    images = []
    for corners in rng.uniform(4, SIDE - 4, (N_CLASSES, 5, 2)):
        for _ in range(N_EACH):
            sheet = Image.new("L", (SIDE, SIDE), 0)
            points = [tuple(p) for p in corners + rng.normal(0, 1.2, corners.shape)]
            ImageDraw.Draw(sheet).line(points, fill=255, width=2)
            images.append(np.asarray(sheet))
    labels = torch.arange(N_CLASSES).repeat_interleave(N_EACH)
    names = tuple(f"Alphabet{i % 4}/character{i:02d}" for i in range(N_CLASSES))
    return ImageSet("omniglot", torch.from_numpy(np.stack(images)[:, None]), labels, names, True)


def photos(seed=4):
    """Color patches of a hue and a grain by class."""
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(8):
        color, grain = rng.uniform(40, 215, (3, 1, 1)), int(rng.integers(2, 9))
        for _ in range(N_EACH):
            coarse = rng.normal(0, 25, (3, grain, grain)).repeat(SIDE // grain + 1, 1)
            coarse = coarse.repeat(SIDE // grain + 1, 2)[:, :SIDE, :SIDE]
            images.append((color + coarse).clip(0, 255).astype(np.uint8))
    labels = torch.arange(8).repeat_interleave(N_EACH)
    names = tuple(str(i) for i in range(8))
    return ImageSet("caltech101", torch.from_numpy(np.stack(images)), labels, names, False)


def quick(**changes):
    plain = {
        "seconds": 1e9,
        "batch": {"omniglot": 48, "caltech101": 8},
        "px_until": ((1.0, 32),),
        "max_steps": 70,
        "half_precision": False,
        "peak_rate": 0.1,
    }
    return LoopSettings(**{**plain, **changes})


def small_trunk():
    torch.manual_seed(0)
    return Trunk((12, 24, 32, 48), (1, 1, 1, 1))


def one_shot(vectors, labels, rng):
    """Accuracy of 5-way 1-shot episodes over the given rows."""
    right = []
    for _ in range(60):
        classes = rng.choice(np.unique(labels), 5, replace=False)
        rows = np.stack([rng.permutation(np.where(labels == c)[0])[:6] for c in classes])
        taught, asked = vectors[rows[:, 0]], vectors[rows[:, 1:]]
        right.append(np.einsum("cqd,kd->cqk", asked, taught).argmax(2) == np.arange(5)[:, None])
    return float(np.mean(right))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    torch.set_num_threads(1)
    drawings = strokes()
    aside = held_out(drawings)
    sets = [photos(), drawings.only(lambda i: not aside(i))]
    folder = tmp_path_factory.mktemp("run")
    trunk = train_jointly(sets, quick(), trunk=small_trunk(), on_progress=Diary(folder))
    branch = LocalBranch((8, 8, 16, 16), 24).eval()
    embedding = fitted(Embedding(trunk, branch), [shown_of(one, 2 * SIDE) for one in sets])
    recipe = PixelRecipe(2 * SIDE, views=("crop", "zoom"), layout="uint8_nhwc")
    encoder = write_model(embedding, folder, "tiny", recipe, {"license": "test"})
    return trunk, embedding, encoder, drawings.only(aside), folder


def test_a_short_run_recognizes_new_classes_far_above_chance(trained):
    _, _, encoder, new, _ = trained
    samples = [to_sample((255 - one[0]).numpy(), "image") for one in new.images]
    found = one_shot(encoder.encode(samples), new.labels.numpy(), np.random.default_rng(0))
    assert len(new.class_names) >= 5
    assert found > 0.5  # chance is 0.2


def test_the_exported_file_agrees_with_torch(trained):
    _, embedding, encoder, new, _ = trained
    samples = [to_sample((255 - one[0]).numpy(), "image") for one in new.images[:20]]
    assert parity(embedding, encoder, samples) > 0.9999


def test_the_8_bit_twin_is_close_and_another_version(trained):
    _, embedding, encoder, new, folder = trained
    samples = [to_sample((255 - one[0]).numpy(), "image") for one in new.images[:20]]
    twin = write_eight_bit_model(embedding, folder, encoder, samples[:8], {"license": "test"})
    assert (encoder.encode(samples) * twin.encode(samples)).sum(axis=1).min() > 0.97
    assert twin.version != encoder.version
    again = ImageEncoder(folder / "tiny-int8.onnx", read_card(folder / "tiny-int8.json"))
    np.testing.assert_array_equal(again.encode(samples[:3]), twin.encode(samples[:3]))


def test_the_exported_file_takes_any_batch_size(trained):
    onnxruntime = pytest.importorskip("onnxruntime")
    _, embedding, encoder, _, _ = trained
    session = onnxruntime.InferenceSession(str(encoder._path), providers=["CPUExecutionProvider"])
    pixels = np.random.default_rng(0).integers(0, 256, (5, 2 * SIDE, 2 * SIDE, 3), dtype=np.uint8)
    with torch.no_grad():
        expected = embedding(torch.from_numpy(pixels)).numpy()
    np.testing.assert_allclose(session.run(None, {"pixels": pixels})[0], expected, atol=2e-3)


def test_the_card_fits_its_file(trained):
    *_, encoder, _, folder = trained
    again = ImageEncoder(folder / "tiny.onnx", read_card(folder / "tiny.json"))
    assert again.version == encoder.version
    assert again.dim == 48 + 32 + 24 + 24


def test_trunks_are_saved_whole_and_read_back(trained):
    trunk, *_, folder = trained
    save_trunk(trunk, folder / "again.pt")
    again = load_trunk(folder / "again.pt")
    for name, value in trunk.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])


def test_the_same_seed_gives_the_same_weights():
    runs = [
        train_jointly([strokes()], quick(max_steps=3), trunk=small_trunk()).state_dict()
        for _ in range(2)
    ]
    for name, value in runs[0].items():
        assert torch.equal(value, runs[1][name])


def test_a_diverging_run_stops_and_says_what_to_lower():
    class Broken(Trunk):
        def forward(self, x):
            return super().forward(x) * float("nan")

    with pytest.raises(NotFiniteLossError, match="peak_rate"):
        train_jointly([strokes()], quick(), trunk=Broken((8, 8, 8, 8), (1, 1, 1, 1)))


def test_views_stay_in_range_and_follow_their_seed():
    color = photos().images[:16]
    ink = strokes().images[:16]
    for make, images in ((photo_views, color), (drawing_views, ink)):
        views = make(images, 24, Dice(5))
        assert views.shape == (16, 3, 24, 24)
        assert views.min() >= 0
        assert views.max() <= 1
        assert torch.equal(views, make(images, 24, Dice(5)))
        assert not torch.equal(views, make(images, 24, Dice(6)))


def test_classes_set_aside_and_kept_never_overlap():
    drawings = strokes()
    aside = held_out(drawings)
    names = {n.split("/")[0] for n in drawings.only(aside).class_names}
    kept = {n.split("/")[0] for n in drawings.only(lambda i: not aside(i)).class_names}
    assert names
    assert not names & kept
    part = photos().only(lambda i: i in (2, 5))
    assert part.class_names == ("2", "5")
    assert part.labels.tolist() == [0] * N_EACH + [1] * N_EACH


def test_the_bank_holds_directions_and_says_where_it_is_from(trained, tmp_path):
    from safetensors import safe_open

    *_, encoder, _, _ = trained
    rng = np.random.default_rng(0)
    samples = [to_sample(drawn(rng, i), "image") for i in range(16)]
    write_bank(encoder, samples, tmp_path / "bank.safetensors", "drawn for a test")
    with safe_open(tmp_path / "bank.safetensors", framework="numpy") as bank:
        rows = bank.get_tensor("vectors").astype(np.float32)
        assert bank.metadata()["from"] == "drawn for a test"
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert (rows * encoder.encode(samples)).sum(axis=1).min() > 0.999


def test_progress_is_written_as_lines_of_json(tmp_path):
    from imprint.train.image_small.loop import Progress

    diary = Diary(tmp_path)
    diary(Progress(10, 0.5, 200.0, 500, {"a": 1.5}), small_trunk())
    line = json.loads((tmp_path / "progress.jsonl").read_text().splitlines()[0])
    assert line == {"step": 10, "share": 0.5, "losses": {"a": 1.5}}
    assert (tmp_path / "trunk.pt").is_file()
