"""A small network learns from any encoder: it comes closer, is kept, and bad folders are told."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")

import torch

from imprint.encoders import ToyEncoder
from imprint.errors import ModalityMismatchError, TooFewSupportsError
from imprint.train.compress.distill import Student, distill, likeness, pictures_in
from imprint.train.compress.match import MatchPlan
from imprint.train.compress.network import read_trained

pytestmark = pytest.mark.train


def pictures(n=80):
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (n, 4, 4, 3), dtype=np.uint8)
    return [one.repeat(6, 0).repeat(8, 1) for one in coarse]


def test_a_student_takes_on_the_teachers_geometry_and_is_kept(tmp_path):
    teacher, student = ToyEncoder("image"), Student("conv4", 16)
    short = distill(teacher, pictures(), student, MatchPlan(n_steps=1, n_batch=32))
    result = distill(teacher, pictures(), student, MatchPlan(n_steps=60, n_batch=32), tmp_path)
    assert result.likeness.correlation > short.likeness.correlation
    assert (result.n_pictures, result.likeness.n_pictures) == (80, 8)
    kept = read_trained(tmp_path)
    assert kept.about["teacher"] == teacher.version
    pairs = zip(kept.backbone.parameters(), result.student.backbone.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_likeness_is_whole_for_turned_rows_and_small_for_random_ones():
    rng = torch.Generator().manual_seed(0)
    rows = torch.randn(40, 6, generator=rng)
    turn = torch.linalg.qr(torch.randn(6, 6, generator=rng)).Q
    same = likeness(rows @ turn, rows)
    assert same.correlation == pytest.approx(1.0, abs=1e-4)
    assert same.same_neighbor == 1.0
    assert likeness(torch.randn(40, 6, generator=rng), rows).correlation < 0.3


def test_a_teacher_of_texts_and_too_few_pictures_are_refused():
    with pytest.raises(ModalityMismatchError, match="reads text"):
        distill(ToyEncoder("text"), pictures(), Student(), MatchPlan())
    with pytest.raises(TooFewSupportsError, match="there are 3 readable"):
        distill(ToyEncoder("image"), pictures(3), Student(), MatchPlan())


def test_pictures_are_found_in_any_folder_and_other_files_are_listed(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for at, one in enumerate(pictures(3)):
        Image.fromarray(one).save(tmp_path / "deep" / ("er" * (at > 0)) / f"{at}.png")
    (tmp_path / "notes.txt").write_text("no picture")
    found, left_out = pictures_in(tmp_path)
    assert len(found) == 3
    assert [one.name for one in left_out] == ["notes.txt"]
