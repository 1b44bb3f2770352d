"""Background banks that ship: small, unit length, of the encoder they are for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from encoders.tiny import sample
from imprint.encoders.banks import read_bank

if TYPE_CHECKING:
    from imprint.encoders.protocol import Encoder


def test_the_text_bank_holds_a_thousand_different_directions() -> None:
    bank = read_bank("minilm-l6")
    assert bank is not None
    assert 1000 <= len(bank) <= 1500
    assert bank.shape[1] == 384
    np.testing.assert_allclose(np.linalg.norm(bank, axis=1), 1, atol=1e-5)
    similarities = bank @ bank.T - 2 * np.eye(len(bank), dtype=np.float32)
    assert (similarities.max(axis=1) > 0.999).mean() < 0.01


def test_a_family_without_a_bank_has_none() -> None:
    assert read_bank("nobody") is None


def test_the_text_encoder_gives_its_bank_and_it_is_of_its_own_space(text_encoder: Encoder) -> None:
    bank = text_encoder.background
    assert bank is not None
    (vector,) = text_encoder.encode([sample("please reset my password, I cannot log in")])
    nearest = float((bank @ vector).max())
    assert 0.5 < nearest < 0.999  # tickets speak of that, in other words
    assert abs(float((bank @ vector).mean())) < 0.3
