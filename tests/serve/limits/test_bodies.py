"""Limits hold while bodies arrive."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from imprint.errors import OverloadedError, RequestTooLargeError, SlowRequestError
from imprint.serve.limits import BodyReader, Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Chunks:
    """A body that counts how much of it was asked for, and may stop arriving."""

    def __init__(self, n_chunks: int, *, stalls: bool = False) -> None:
        self.n_chunks = n_chunks
        self.stalls = stalls
        self.n_taken = 0

    async def arrive(self) -> AsyncIterator[bytes]:
        for _ in range(self.n_chunks):
            self.n_taken += 1
            yield b"x" * 100
        if self.stalls:
            await asyncio.Event().wait()


def test_reading_stops_at_the_limit_not_at_the_end() -> None:
    body = Chunks(10_000)
    reader = BodyReader(Limits(body_bytes=1000, import_bytes=2000))
    with pytest.raises(RequestTooLargeError, match=r"1,100 bytes or more.*1,000"):
        asyncio.run(reader.read(body.arrive(), None))
    assert body.n_taken == 11
    spooled = Chunks(10_000)
    with pytest.raises(RequestTooLargeError):
        asyncio.run(reader.spool(spooled.arrive(), None))
    assert spooled.n_taken == 21


def test_a_body_declared_too_large_is_not_read_at_all() -> None:
    body = Chunks(1)
    reader = BodyReader(Limits(body_bytes=1000))
    with pytest.raises(RequestTooLargeError):
        asyncio.run(reader.read(body.arrive(), 1001))
    assert body.n_taken == 0


def test_a_body_that_stops_arriving_is_given_up_on() -> None:
    reader = BodyReader(Limits(body_s=0.01, import_s=0.01))
    with pytest.raises(SlowRequestError):
        asyncio.run(reader.read(Chunks(1, stalls=True).arrive(), None))
    with pytest.raises(SlowRequestError):
        asyncio.run(reader.spool(Chunks(1, stalls=True).arrive(), None))
    assert reader._n_held == 0


def test_all_bodies_together_are_bounded_and_given_back() -> None:
    async def both() -> None:
        reader = BodyReader(Limits(held_bytes=1000))
        first = await reader.read(Chunks(8).arrive(), None)
        with pytest.raises(OverloadedError):
            await reader.read(Chunks(8).arrive(), None)
        reader.release(len(first))
        assert len(await reader.read(Chunks(8).arrive(), None)) == 800

    asyncio.run(both())


def test_an_import_is_spooled_and_rewound() -> None:
    with asyncio.run(BodyReader(Limits()).spool(Chunks(3).arrive(), 300)) as file:
        assert file.read() == b"x" * 300
