"""Lanes: a few threads for one kind of work, shared fairly by tenants.

What waits is kept apart by tenant. A free thread takes from the tenant whose work has taken the
least thread time so far, counted from the moment it began to wait: a tenant with one request is
served before the next of a tenant with thousands (start-time fair queueing by measured work,
Goyal, Vin and Cheng 1996, with time used in place of packet length). One thread of a lane is never
given to a tenant that holds all the others.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from imprint.errors import NotReadyError, OverloadedError, TimedOutError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

# All tenants together may wait this many times as much as one may.
_CROWD = 16


@dataclass(slots=True)
class _Piece:
    """One piece of work that waits."""

    work: Callable[[], Any]
    future: Future[Any]
    queued_at: float


@dataclass(slots=True)
class _Queue:
    """What waits of one tenant, how much of it is under way, and the thread time it was given."""

    waiting: deque[_Piece] = field(default_factory=deque)
    n_running: int = 0
    used_s: float = 0.0


class Lane:
    """A few threads and bounded queues before them, for one kind of work.

    Kinds are kept apart so that teaching, which waits for the disk, cannot hold up answering.
    `observe(lane, queued_s, worked_s)` hears of every finished piece of work. A tenant may have
    `n_threads + n_waiting` pieces here, all tenants together 16 times `n_waiting`.
    """

    def __init__(
        self,
        name: str,
        n_threads: int,
        n_waiting: int,
        observe: Callable[[str, float, float], None],
    ) -> None:
        self.name = name
        self._pool = ThreadPoolExecutor(n_threads, thread_name_prefix=f"imprint-{name}")
        self._n_threads = n_threads
        self._bound = n_threads + n_waiting
        self._bound_of_all = n_threads + _CROWD * n_waiting
        self._observe = observe
        self._lock = threading.Lock()
        self._queues: dict[str, _Queue] = {}
        self._n_taken = 0
        self._n_running = 0
        self._floor_s = 0.0
        self._closed = False

    @property
    def fill_ratio(self) -> float:
        """Share of its threads and places that the fullest tenant has taken, 0 .. 1."""
        with self._lock:
            taken = [len(one.waiting) + one.n_running for one in self._queues.values()]
        return max(taken, default=0) / self._bound

    def oldest_wait_s(self) -> float:
        """How long the oldest piece of work not yet begun has waited."""
        with self._lock:
            since = [one.waiting[0].queued_at for one in self._queues.values() if one.waiting]
        return time.perf_counter() - min(since) if since else 0.0

    async def run(self, work: Callable[[], T], timeout_s: float, tenant: str = "") -> T:
        """Do work of a tenant on a thread of this lane.

        Raises:
            OverloadedError: every place is taken.
            TimedOutError: it takes longer; it goes on, and its outcome is lost.
        """
        future = asyncio.wrap_future(self._enqueue(work, tenant))
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.shield(future)
        except TimeoutError:
            # Whatever comes of it now is nobody's; it must not be reported as never retrieved.
            future.add_done_callback(lambda late: late.cancelled() or late.exception())
            raise TimedOutError(
                f"the work took longer than {timeout_s:g} s and goes on; repeating the request "
                "is safe",
                retry_after_s=5.0,
            ) from None

    def close(self) -> None:
        """Finish what is under way and what waits, then stop the threads."""
        self._closed = True
        self._pool.shutdown(wait=True)

    def _enqueue(self, work: Callable[[], T], tenant: str) -> Future[T]:
        if self._closed:
            raise NotReadyError("the server is stopping; try another one or come back")
        future: Future[T] = Future()
        with self._lock:
            queue = self._queues.get(tenant) or _Queue(used_s=self._floor_s)
            n_own = len(queue.waiting) + queue.n_running
            if n_own >= self._bound or self._n_taken >= self._bound_of_all:
                n_there = n_own if n_own >= self._bound else self._n_taken
                raise OverloadedError(
                    f"{n_there} requests of this kind are waiting or worked on; come back"
                )
            self._queues[tenant] = queue
            if n_own == 0:
                # Time not asked for is not saved up: it would be taken from the others at once.
                queue.used_s = max(queue.used_s, self._floor_s)
            self._n_taken += 1
            queue.waiting.append(_Piece(work, future, time.perf_counter()))
            starts = self._n_running < self._n_threads and self._may_run(queue)
            self._n_running += starts
            if starts:
                queue.n_running += 1
                piece = queue.waiting.popleft()
        if starts:
            self._pool.submit(self._work, tenant, piece)
        return future

    def _may_run(self, queue: _Queue) -> bool:
        return queue.n_running < max(1, self._n_threads - 1)

    def _work(self, tenant: str, piece: _Piece) -> None:
        """Do one piece after the other until nothing is left that this thread may do."""
        following: tuple[str, _Piece] | None = (tenant, piece)
        while following is not None:
            tenant, piece = following
            began_at = time.perf_counter()
            outcome, failure = _tried(piece.work)
            ended_at = time.perf_counter()
            self._observe(self.name, began_at - piece.queued_at, ended_at - began_at)
            with self._lock:
                self._leave(tenant, ended_at - began_at)
                following = self._next()
            if failure is None:
                piece.future.set_result(outcome)
            else:
                piece.future.set_exception(failure)
            del piece, outcome, failure

    def _leave(self, tenant: str, worked_s: float) -> None:
        queue = self._queues[tenant]
        queue.n_running -= 1
        queue.used_s += worked_s
        self._n_taken -= 1
        self._n_running -= 1
        if not queue.waiting and queue.n_running == 0 and queue.used_s <= self._floor_s:
            del self._queues[tenant]

    def _next(self) -> tuple[str, _Piece] | None:
        ready = [
            (queue.used_s, tenant)
            for tenant, queue in self._queues.items()
            if queue.waiting and self._may_run(queue)
        ]
        if not ready:
            self._forget_idle()
            return None
        self._floor_s, tenant = max(min(ready), (self._floor_s, ""))[0], min(ready)[1]
        queue = self._queues[tenant]
        queue.n_running += 1
        self._n_running += 1
        return tenant, queue.waiting.popleft()

    def _forget_idle(self) -> None:
        """With nothing waiting nobody is owed anything: tenants seen once must not pile up."""
        if self._n_taken == 0:
            self._queues.clear()
            self._floor_s = 0.0


def _tried(work: Callable[[], T]) -> tuple[T | None, BaseException | None]:
    try:
        return work(), None
    except BaseException as failure:  # noqa: BLE001 - handed to whoever waits for the outcome
        return None, failure
