"""Limits hold while bodies arrive and work waits."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from imprint.errors import (
    NotReadyError,
    OverloadedError,
    RequestTooLargeError,
    SlowRequestError,
    TimedOutError,
)
from imprint.serve.limits import BodyReader, Lane, Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


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


@pytest.fixture
def heard() -> list[tuple[str, float, float]]:
    return []


@pytest.fixture
def lane(heard: list[tuple[str, float, float]]) -> Iterator[Lane]:
    made = Lane("test", 1, 1, lambda *one: heard.append(one))
    yield made
    made.close()


def test_a_lane_is_bounded_and_says_how_full_it_is(
    lane: Lane, heard: list[tuple[str, float, float]]
) -> None:
    async def fill() -> None:
        go_on = threading.Event()
        first = asyncio.create_task(lane.run(lambda: go_on.wait(10), 10))
        second = asyncio.create_task(lane.run(lambda: go_on.wait(10), 10))
        await asyncio.sleep(0)
        assert lane.fill_ratio == 1.0
        with pytest.raises(OverloadedError):
            await lane.run(lambda: None, 10)
        assert lane.oldest_wait_s() > 0
        go_on.set()
        assert await asyncio.gather(first, second) == [True, True]

    asyncio.run(fill())
    assert lane.fill_ratio == 0.0
    assert lane.oldest_wait_s() == 0.0
    assert [name for name, *_ in heard] == ["test", "test"]


def test_what_work_raises_is_raised_and_its_place_is_free_again(lane: Lane) -> None:
    async def fail() -> None:
        for _ in range(5):
            with pytest.raises(ZeroDivisionError):
                await lane.run(lambda: 1 / 0, 10)

    asyncio.run(fail())
    assert lane.fill_ratio == 0.0


def test_work_that_times_out_keeps_its_place_until_it_ends(lane: Lane) -> None:
    async def late() -> None:
        go_on = threading.Event()
        with pytest.raises(TimedOutError):
            await lane.run(lambda: go_on.wait(10), 0.01)
        assert lane.fill_ratio == 0.5
        go_on.set()
        await lane.run(lambda: None, 10)

    asyncio.run(late())


def test_a_closed_lane_takes_nothing(lane: Lane) -> None:
    lane.close()
    with pytest.raises(NotReadyError):
        asyncio.run(lane.run(lambda: None, 1))
