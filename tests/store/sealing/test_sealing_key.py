"""Sealed bytes open at their place, with their key, and nowhere else."""

from __future__ import annotations

import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from imprint.errors import SealBrokenError
from imprint.store.sealing.sealing_key import OVERHEAD_BYTES, SealingKey, number_of

KEY = bytes(range(32))
PLACES = st.binary(max_size=60)


@given(st.binary(max_size=3000), PLACES)
def test_what_was_sealed_opens_at_its_place(plain: bytes, place: bytes) -> None:
    sealed = SealingKey(7, KEY).seal(plain, place)
    assert len(sealed) == len(plain) + OVERHEAD_BYTES
    assert number_of(sealed) == 7
    assert SealingKey(7, KEY).open(sealed, place) == plain


@given(st.binary(max_size=100), PLACES, PLACES)
def test_it_opens_at_no_other_place(plain: bytes, place: bytes, other: bytes) -> None:
    key = SealingKey(7, KEY)
    sealed = key.seal(plain, place)
    if place != other:
        with pytest.raises(SealBrokenError):
            key.open(sealed, other)


@given(st.binary(min_size=1, max_size=100), st.data())
def test_any_changed_bit_is_refused(plain: bytes, data: st.DataObject) -> None:
    key = SealingKey(7, KEY)
    sealed = key.seal(plain, b"here")
    bit = data.draw(st.integers(8 * 5, 8 * len(sealed) - 1))
    changed = bytearray(sealed)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SealBrokenError):
        key.open(bytes(changed), b"here")


@given(st.binary(max_size=200))
def test_bytes_nobody_sealed_are_refused(garbage: bytes) -> None:
    with pytest.raises(SealBrokenError):
        SealingKey(7, KEY).open(garbage, b"here")


def test_another_key_or_number_does_not_open_it() -> None:
    sealed = SealingKey(7, KEY).seal(b"x", b"here")
    for other in (SealingKey(7, bytes(32)), SealingKey(8, KEY)):
        with pytest.raises(SealBrokenError):
            other.open(sealed, b"here")
    for short in (b"", sealed[:48], b"\x02" + sealed[1:]):
        with pytest.raises(SealBrokenError):
            number_of(short)


def test_the_format_is_the_one_the_page_describes() -> None:
    sealed = SealingKey(7, KEY).seal(b"miaow", b"here")
    salt, nonce, body = sealed[5:21], sealed[21:33], sealed[33:]
    subkey = HKDF(SHA256(), 32, salt, b"imprint sealing subkey v1").derive(KEY)
    assert AESGCM(subkey).decrypt(nonce, body, sealed[:5] + b"here") == b"miaow"


def test_the_same_bytes_are_sealed_differently_each_time() -> None:
    key = SealingKey(7, KEY)
    sealed = {key.seal(b"miaow", b"here") for _ in range(500)}
    assert len(sealed) == 500
    assert len({one[21:33] for one in sealed}) == 500


def test_every_process_seals_with_a_subkey_of_its_own() -> None:
    salts = {SealingKey(7, KEY).seal(b"", b"")[5:21] for _ in range(100)}
    assert len(salts) == 100


def test_a_subkey_that_sealed_enough_is_replaced() -> None:
    key = SealingKey(7, KEY)
    first = key.seal(b"x", b"here")
    key._left = 0
    second = key.seal(b"x", b"here")
    assert first[5:21] != second[5:21]
    assert key.open(first, b"here") == key.open(second, b"here") == b"x"


def test_a_forked_process_draws_other_nonces() -> None:
    key = SealingKey(7, KEY)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writing, key.seal(b"x", b"here"))
        os._exit(0)
    os.waitpid(pid, 0)
    theirs = os.read(reading, 100)
    os.close(reading)
    os.close(writing)
    assert theirs[21:33] != key.seal(b"x", b"here")[21:33]
