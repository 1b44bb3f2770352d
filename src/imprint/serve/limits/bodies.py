"""Reading request bodies under limits that hold while they arrive."""

from __future__ import annotations

import asyncio
import tempfile
from typing import IO, TYPE_CHECKING

from imprint.errors import OverloadedError, RequestTooLargeError, SlowRequestError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from imprint.serve.limits import Limits

_SPOOL_BYTES = 1 << 20


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
