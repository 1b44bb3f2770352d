"""What keeps one caller from taking the server: sizes, times, and bounded lanes of threads."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, TypeVar

from imprint.errors import (
    NotReadyError,
    OverloadedError,
    RequestTooLargeError,
    SlowRequestError,
    TimedOutError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

T = TypeVar("T")
_SPOOL_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes and times of one server.

    `body_bytes` bounds one request, `import_bytes` one import, `held_bytes` all bodies held in
    memory at once. A body must arrive within `body_s`, an import within `import_s`; work must end
    within `work_s` (an import's within `import_s`). `n_answering` and `n_teaching` threads work,
    and `n_waiting` requests may wait before each kind; the next one is told to come back. One
    classify call may hold `n_inputs` inputs, one import `n_items` items.
    """

    body_bytes: int = 25 * 1024 * 1024
    import_bytes: int = 512 * 1024 * 1024
    held_bytes: int = 256 * 1024 * 1024
    body_s: float = 30.0
    work_s: float = 30.0
    import_s: float = 3600.0
    n_answering: int = 4
    n_teaching: int = 4
    n_waiting: int = 64
    n_inputs: int = 1024
    n_items: int = 100_000


class Lane:
    """A few threads and a bounded queue before them, for one kind of work.

    Kinds are kept apart so that teaching, which waits for the disk, cannot hold up answering.
    `observe(lane, queued_s, worked_s)` hears of every finished piece of work.
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
        self._bound = n_threads + n_waiting
        self._observe = observe
        self._lock = threading.Lock()
        self._queued_at: dict[int, float] = {}
        self._numbers = itertools.count()
        self._n_taken = 0
        self._closed = False

    @property
    def fill_ratio(self) -> float:
        """Share of threads and waiting places taken, 0 .. 1."""
        return self._n_taken / self._bound

    def oldest_wait_s(self) -> float:
        """How long the oldest piece of work not yet begun has waited."""
        with self._lock:
            since = next(iter(self._queued_at.values()), None)
        return 0.0 if since is None else time.perf_counter() - since

    async def run(self, work: Callable[[], T], timeout_s: float) -> T:
        """Do work on a thread of this lane.

        Raises:
            OverloadedError: every place is taken.
            TimedOutError: it takes longer; it goes on, and its outcome is lost.
        """
        if self._closed:
            raise NotReadyError("the server is stopping; try another one or come back")
        with self._lock:
            if self._n_taken >= self._bound:
                raise OverloadedError(
                    f"{self._n_taken} requests of this kind are waiting or worked on; come back"
                )
            self._n_taken += 1
            number = next(self._numbers)
            self._queued_at[number] = time.perf_counter()
        future = asyncio.wrap_future(self._pool.submit(self._timed, number, work))
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
        """Finish what is under way, then stop the threads."""
        self._closed = True
        self._pool.shutdown(wait=True)

    def _timed(self, number: int, work: Callable[[], T]) -> T:
        began_at = time.perf_counter()
        with self._lock:
            queued_at = self._queued_at.pop(number)
        try:
            return work()
        finally:
            with self._lock:
                self._n_taken -= 1
            self._observe(self.name, began_at - queued_at, time.perf_counter() - began_at)


class BodyReader:
    """Reads request bodies under limits that hold while they arrive.

    Used from the event loop's thread only, so its count of held bytes needs no lock.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._n_held = 0

    async def read(self, stream: AsyncIterator[bytes], declared: int | None) -> bytes:
        """Hold a body in memory; give its bytes back with `release(len(body))`.

        Raises:
            RequestTooLargeError, SlowRequestError, OverloadedError: reading stopped there.
        """
        limits = self._limits
        self._check(declared or 0, limits.body_bytes)
        chunks: list[bytes] = []
        n_bytes = 0
        try:
            async with asyncio.timeout(limits.body_s):
                async for chunk in stream:
                    self._check(n_bytes + len(chunk), limits.body_bytes)
                    n_bytes += len(chunk)
                    chunks.append(chunk)
                    self._hold(len(chunk))
        except TimeoutError:
            self.release(n_bytes)
            raise _slow(limits.body_s) from None
        except BaseException:
            self.release(n_bytes)
            raise
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def release(self, n_bytes: int) -> None:
        """A body is no longer held."""
        self._n_held -= n_bytes

    def _hold(self, n_bytes: int) -> None:
        self._n_held += n_bytes
        if self._n_held > self._limits.held_bytes:
            raise OverloadedError("too many large bodies are under way; come back")

    async def spool(self, stream: AsyncIterator[bytes], declared: int | None) -> IO[bytes]:
        """Take an import into an unnamed temporary file, rewound; closing it destroys it."""
        limits = self._limits
        self._check(declared or 0, limits.import_bytes)
        file = tempfile.SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115 - the caller closes it
        n_bytes = 0
        try:
            async with asyncio.timeout(limits.import_s):
                async for chunk in stream:
                    n_bytes += len(chunk)
                    self._check(n_bytes, limits.import_bytes)
                    file.write(chunk)
        except TimeoutError:
            file.close()
            raise _slow(limits.import_s) from None
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file

    @staticmethod
    def _check(n_bytes: int, limit: int) -> None:
        if n_bytes > limit:
            raise RequestTooLargeError(
                f"the body has {n_bytes:,} bytes or more; this call takes at most {limit:,}"
            )


def _slow(limit_s: float) -> SlowRequestError:
    return SlowRequestError(f"the body did not arrive within {limit_s:g} s; send it again")
