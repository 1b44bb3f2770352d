"""Lanes are bounded, say how full they are, and are shared fairly by tenants."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from imprint.errors import NotReadyError, OverloadedError, TimedOutError
from imprint.serve.limits import Lane

if TYPE_CHECKING:
    from collections.abc import Iterator


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


@pytest.fixture
def wide() -> Iterator[Lane]:
    made = Lane("wide", 2, 50, lambda *_: None)
    yield made
    made.close()


def test_a_tenant_with_one_request_is_served_before_the_rest_of_a_noisy_one(lane: Lane) -> None:
    order: list[str] = []

    async def crowd() -> None:
        made = Lane("crowd", 1, 20, lambda *_: None)
        go_on = threading.Event()
        noisy = [asyncio.create_task(made.run(lambda: go_on.wait(10), 10, "noisy"))]
        noisy += [
            asyncio.create_task(made.run(lambda: order.append("noisy"), 10, "noisy"))
            for _ in range(15)
        ]
        await asyncio.sleep(0)
        quiet = asyncio.create_task(made.run(lambda: order.append("quiet"), 10, "quiet"))
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(*noisy, quiet)
        made.close()

    asyncio.run(crowd())
    assert order.index("quiet") == 0


def test_a_full_queue_of_one_tenant_leaves_places_for_others(wide: Lane) -> None:
    async def crowd() -> None:
        go_on = threading.Event()
        tasks = [
            asyncio.create_task(wide.run(lambda: go_on.wait(10), 10, "noisy")) for _ in range(52)
        ]
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            await wide.run(lambda: None, 10, "noisy")
        # One thread is left for it at once, whatever the noisy one has begun.
        assert await wide.run(lambda: "at once", 10, "quiet") == "at once"
        go_on.set()
        await asyncio.gather(*tasks)

    asyncio.run(crowd())


def test_all_tenants_together_are_bounded_too() -> None:
    async def crowd() -> None:
        made = Lane("crowd", 1, 2, lambda *_: None)
        go_on = threading.Event()
        tasks = [
            asyncio.create_task(made.run(lambda: go_on.wait(10), 10, f"tenant-{i // 3}"))
            for i in range(33)
        ]
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            await made.run(lambda: None, 10, "one-more")
        go_on.set()
        await asyncio.gather(*tasks)
        made.close()

    asyncio.run(crowd())


def test_thread_time_is_shared_and_not_requests() -> None:
    """Requests that work ten times as long come a tenth as often."""
    order: list[str] = []
    seconds = {"heavy": 0.02, "light": 0.002}
    pause = threading.Event()

    def work(tenant: str) -> None:
        order.append(tenant)
        pause.wait(seconds[tenant])

    async def both() -> None:
        made = Lane("shared", 1, 100, lambda *_: None)
        go_on = threading.Event()
        first = asyncio.create_task(made.run(lambda: go_on.wait(10), 10, "other"))
        await asyncio.sleep(0)
        tasks = [
            asyncio.create_task(made.run(lambda t=tenant: work(t), 10, tenant))
            for tenant, n in (("heavy", 10), ("light", 40))
            for _ in range(n)
        ]
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(first, *tasks)
        made.close()

    asyncio.run(both())
    # When the light one's forty were done, the heavy one had had about as much time.
    last_light = max(i for i, tenant in enumerate(order) if tenant == "light")
    assert order[:last_light].count("heavy") <= 7


def test_tenants_seen_once_are_forgotten(wide: Lane) -> None:
    async def many() -> None:
        for i in range(200):
            await wide.run(lambda: None, 10, f"tenant-{i}")

    asyncio.run(many())
    assert len(wide._queues) <= 2


def test_nothing_is_lost_and_bounds_hold_under_a_storm() -> None:
    made = Lane("storm", 3, 40, lambda *_: None)
    running: dict[str, int] = {}
    most: dict[str, int] = {}
    lock = threading.Lock()

    def work(tenant: str) -> int:
        with lock:
            running[tenant] = running.get(tenant, 0) + 1
            most[tenant] = max(most.get(tenant, 0), running[tenant])
        with lock:
            running[tenant] -= 1
        return 1

    async def storm() -> int:
        tasks = [
            made.run(lambda t=f"tenant-{i % 7}": work(t), 30, f"tenant-{i % 7}")
            for i in range(7 * 40)
        ]
        return sum(await asyncio.gather(*tasks))

    assert asyncio.run(storm()) == 7 * 40
    assert max(most.values()) <= 2
    assert made.fill_ratio == 0.0
    made.close()
