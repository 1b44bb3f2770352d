"""The real server as a process of its own, on a free port of loopback, with toy encoders."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, Self

import httpx

if TYPE_CHECKING:
    from pathlib import Path

_START = (
    "import json, sys; from imprint.serve.limits import Limits; "
    "from imprint.serve.run import serve; chosen = json.loads(sys.argv[2]); "
    "limits = Limits(**chosen.pop('limits', {})); "
    "serve(sys.argv[1], '127.0.0.1', 0, limits=limits, **chosen)"
)
_TOYS = {"IMPRINT_TEXT_ENCODER": "toy-text", "IMPRINT_IMAGE_ENCODER": "toy-image"}


class RealServer:
    """Start on entering, kill on leaving. `secret` is the key the first start printed."""

    def __init__(
        self,
        home: Path,
        *,
        secret: str | None = None,
        settings: dict[str, str] | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        self.secret = secret
        self.address = ""
        chosen = _TOYS if settings is None else settings
        words = json.dumps(options or {}, default=str)
        self._command = [sys.executable, "-c", _START, str(home), words]
        self._environment = {**os.environ, "OMP_NUM_THREADS": "1", **chosen}
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self.printed: list[str] = []

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, env=self._environment, stderr=subprocess.PIPE, text=True
        )
        serving = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(serving,), daemon=True)
        self._reader.start()
        if not serving.wait(60) or not self.address:
            self.kill()
            raise AssertionError("the server did not start: " + "".join(self.printed))
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """Process number of the running server."""
        assert self._process is not None
        return self._process.pid

    def client(self) -> httpx.Client:
        """A connection of its own with the key."""
        headers = {"Authorization": f"Bearer {self.secret}"}
        return httpx.Client(base_url=self.address, headers=headers, timeout=30)

    def kill(self) -> None:
        """End it with SIGKILL: nothing is flushed, nothing is closed."""
        assert self._process is not None
        self._process.kill()
        self._finish()

    def terminate(self) -> int:
        """End it with SIGTERM and give its exit status."""
        assert self._process is not None
        self._process.terminate()
        return self._finish()

    def _finish(self) -> int:
        assert self._process is not None
        assert self._reader is not None
        status = self._process.wait(60)
        self._reader.join(10)
        if self._process.stderr is not None:
            self._process.stderr.close()
        return status

    def _read(self, serving: threading.Event) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.printed.append(line)
            if found := re.search(r"serves (http\S+)", line):
                self.address = found[1]
            if found := re.match(r"\s+(imp_\S+)", line):
                self.secret = found[1]
            # The last line of the greeting of a first start, or the only one of a later.
            if "curl" in line or "imprint keys list" in line:
                serving.set()
        serving.set()
