"""The attack suite end to end, through a collection in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from flows.words import WordEncoder
from imprint import errors
from imprint.flows.judging.poisoning import PoisoningPlan, poisoning

if TYPE_CHECKING:
    from imprint.settings import Settings

PLAN = PoisoningPlan(
    n_way=4, shots=(2,), n_draws=1, n_attempts=3, n_harmed=1, n_in_a_row=5,
    attacks=("flip", "copy", "blur"),
)  # fmt: skip


@pytest.fixture(scope="module")
def material() -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(0)
    texts = [
        " ".join([*(f"c{c}w{j}" for j in rng.choice(8, 5, replace=False)), f"n{rng.integers(90)}"])
        for c in range(5)
        for _ in range(12)
    ]
    return texts, [f"k{c}" for c in range(5) for _ in range(12)]


def test_attacks_are_counted_and_the_same_seed_counts_the_same(
    material, settings: Settings
) -> None:
    first, again = (
        poisoning(*material, PLAN, encoder=WordEncoder(), settings=settings, seed=4)
        for _ in range(2)
    )
    assert [row.attack for row in first.attacks] == ["flip", "copy", "blur"]
    assert [(r.n_attempts, r.n_in_a_row) for r in first.attacks] == [(3, 5)] * 3
    assert first.genuine[0].n_taught == 12
    assert first.genuine == again.genuine
    assert first.attacks == again.attacks


def test_a_near_copy_under_another_label_is_found(material, settings: Settings) -> None:
    report = poisoning(*material, PLAN, encoder=WordEncoder(), settings=settings)
    (copies,) = [row for row in report.attacks if row.attack == "copy"]
    assert copies.n_held == copies.n_effective == 3


@pytest.mark.parametrize(
    "wrong", [{"attacks": ("magic",)}, {"shots": ()}, {"n_way": 2}, {"n_attempts": 0}]
)
def test_a_plan_that_cannot_be_is_refused(wrong) -> None:
    with pytest.raises(errors.InvalidOptionError):
        PoisoningPlan(**wrong)


def test_too_little_material_is_explained(material, settings: Settings) -> None:
    plan = PoisoningPlan(n_way=4, shots=(30,))
    with pytest.raises(errors.TooFewSupportsError, match="0 classes hold 34"):
        poisoning(*material, plan, encoder=WordEncoder(), settings=settings)


def test_vectors_cannot_be_attacked(settings: Settings) -> None:
    with pytest.raises(errors.InvalidOptionError, match="not of vectors"):
        poisoning(np.eye(6), list("aabbcc"), settings=settings)
