"""Settings are frozen, read from text, and refused when they cannot be."""

import dataclasses

import pytest

from imprint.errors import InvalidOptionError
from imprint.train.settings import OptimizerSettings, RunSettings, StepPlan, changed, flat


@dataclasses.dataclass(frozen=True)
class Nested:
    step: StepPlan = dataclasses.field(default_factory=StepPlan)
    soft: bool = True
    margin: float = 0.2


def test_every_field_has_a_dotted_name():
    assert flat(Nested())["step.n_way"] == 60
    assert set(flat(Nested())) == {
        "step.n_way", "step.n_shot", "step.n_query", "step.n_episodes", "step.n_groups", "soft",
        "margin",
    }  # fmt: skip


def test_fields_are_read_from_text_as_the_type_they_have():
    made = changed(Nested(), {"step.n_way": "5", "soft": "false", "margin": "0.5"})
    assert (made.step.n_way, made.soft, made.margin) == (5, False, 0.5)
    assert made.step.n_query == 5


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("stride", "1"),
        ("step.n_way", "many"),
        ("soft", "perhaps"),
        ("step.n_way", "1"),
        ("step", "3"),
    ],
)
def test_what_cannot_be_set_is_refused(name, text):
    with pytest.raises(InvalidOptionError, match=name.split(".")[-1]):
        changed(Nested(), {name: text})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n_way", 1), ("epochs", 0), ("minutes", 0.0), ("averaging", 1.0), ("precision", "fp8"),
        ("image_px", 4), ("n_test_episodes", 0),
    ],
)  # fmt: skip
def test_a_run_refuses_settings_it_cannot_keep(field, value):
    with pytest.raises(InvalidOptionError, match=field):
        RunSettings(**{"epochs": 1, field: value})


def test_a_run_must_end_some_time():
    with pytest.raises(InvalidOptionError, match="epochs, minutes"):
        RunSettings()


def test_rates_rise_fall_and_end_at_zero():
    cosine = OptimizerSettings(rate=1.0, warmup=0.1)
    assert cosine.rate_at(0.0) == pytest.approx(0.05)
    assert cosine.rate_at(0.1) == pytest.approx(1.0)
    assert cosine.rate_at(0.55) == pytest.approx(0.5)
    assert cosine.rate_at(1.0) == pytest.approx(0.0)
    halving = OptimizerSettings(rate=1.0, warmup=0.0, schedule="halving")
    assert [halving.rate_at(s) for s in (0.0, 0.09, 0.11, 0.31)] == [1.0, 1.0, 0.5, 0.125]
    with pytest.raises(InvalidOptionError, match="schedule"):
        OptimizerSettings(schedule="whenever")
