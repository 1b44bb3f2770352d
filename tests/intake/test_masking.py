"""Personal data of a known form is replaced; what only looks like it stays."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imprint.intake.decode import to_sample
from imprint.intake.masking import MASKS, mask_text, masked

FOUND = {
    "email": ["ann.smith+shop@mail.example.org", "ANN@EXAMPLE.DE", "jürgen@straße.example.com"],
    "card": ["4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005"],
    "iban": [
        "DE89 3704 0044 0532 0130 00",
        "GB29NWBK60161331926819",
        "fr1420041010050500013m02606",
    ],
    "ip": ["192.168.17.4", "2001:db8::ff00:42:8329"],
    "phone": ["+49 30 901820", "(0)20 7946 0958", "0049-171-5550123", "+1 (555) 010-9999"],
}
KEPT = [
    "order 4111111111111112 of 2026",  # no card: its check digit is wrong
    "the total is 1,299.00 on 2026-11-22 at 10:30:15",
    "version 1.2.3 and ratio 16:9",
    "call me, maybe, at twelve",
    "user@localhost is no address",
]


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, texts in FOUND.items() for t in texts])
def test_each_kind_is_found_wherever_it_stands(kind: str, text: str) -> None:
    for frame in ("{}", "it is {} now", "({}),", "see: {}\nthanks"):
        clean, n_masked = mask_text(frame.format(text), [kind])
        assert (clean, n_masked) == (frame.format(f"[{kind}]"), 1)


@pytest.mark.parametrize("text", KEPT)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert mask_text(text, MASKS) == (text, 0)


def test_an_account_number_with_wrong_check_digits_is_none() -> None:
    text = "DE88 3704 0044 0532 0130 00"
    assert mask_text(text, ["iban", "card", "email", "ip"]) == (text, 0)


def test_only_the_kinds_asked_for_are_masked() -> None:
    text = "ann@example.org from 192.168.17.4"
    assert mask_text(text, ["ip"]) == ("ann@example.org from [ip]", 1)
    assert mask_text(text, []) == (text, 0)


@given(st.text(max_size=300))
def test_masking_twice_changes_nothing_more(text: str) -> None:
    clean, _ = mask_text(text, MASKS)
    assert mask_text(clean, MASKS)[0] == clean or "[" in text


@given(st.integers(0, 10**6))
def test_every_card_number_with_a_right_check_digit_is_found(seed: int) -> None:
    rng = random.Random(seed)
    digits = [rng.randrange(10) for _ in range(15)]
    total = sum(d if i % 2 else sum(divmod(2 * d, 10)) for i, d in enumerate(digits))
    number = "".join(map(str, [*digits, -total % 10]))
    if len(set(number)) > 1:
        assert mask_text(f"card {number}.", ["card"]) == ("card [card].", 1)


def test_long_texts_take_no_more_than_their_length() -> None:
    # A pattern that looks back over and over would take minutes here.
    for piece in ("a" * 50_000 + "@", "1 " * 25_000, "a.b-" * 12_000, ":" * 50_000, "+1-" * 16_000):
        mask_text(piece, MASKS)


def test_of_what_was_masked_nothing_is_left_in_the_sample() -> None:
    sample = to_sample("write to ann@example.org today", "text")
    clean = masked(sample, ["email"])
    assert clean.value == "write to [email] today"
    assert b"ann@" not in clean.raw.content
    assert clean.content_hash == to_sample("write to [email] today", "text").content_hash
    assert clean.notes == ("personal data masked: 1",)
    assert masked(sample, ["phone"]) is sample


def test_a_rule_of_the_callers_own_comes_after_ours() -> None:
    sample = to_sample("Ann wrote from ann@example.org", "text")
    clean = masked(sample, ["email"], lambda text: (text.replace("Ann", "[name]"), 1))
    assert clean.value == "[name] wrote from [email]"
    assert clean.notes == ("personal data masked: 2",)


def test_other_modalities_come_back_as_they_are() -> None:
    image = to_sample(np.full((8, 8, 3), 7, np.uint8), "image")
    assert masked(image, MASKS) is image
    assert replace(image) == image
