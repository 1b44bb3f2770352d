"""Time the HTTP door beside the library: the same calls, in turn, on the same workspace.

    python benchmarks/http_door.py                     # the default encoder, 10,000 supports
    python benchmarks/http_door.py --encoder toy-text  # next to no embedding: what HTTP costs

A server process and this process share one workspace folder; every repetition makes one library
call and one HTTP call over a kept-open connection. Prints one JSON document: classify and teach
through both doors, time from start to alive and to ready, time to open the workspace, resident
memory of the server.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imprint
from imprint.settings import Settings
from machine import machine, rss_mb, spread_ms, versions

if TYPE_CHECKING:
    from collections.abc import Iterator

_SERVE = "import sys; from imprint.serve.run import serve; serve(sys.argv[1], '127.0.0.1', 0)"
WORDS = ("parcel", "refund", "invoice", "password", "login", "crash", "price", "color", "return")


class Connection:
    """One kept-open connection with a key."""

    def __init__(self, port: int, secret: str) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._http.connect()
        self._http.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}

    def post(self, path: str, shape: dict[str, Any]) -> dict[str, Any]:
        """Send JSON, give the JSON of a good answer."""
        self._http.request("POST", path, json.dumps(shape), self._headers)
        response = self._http.getresponse()
        body = response.read()
        if response.status >= 300:
            raise SystemExit(f"{path} answered {response.status}: {body[:500]!r}")
        return dict(json.loads(body))

    def status(self, path: str) -> int:
        """Status of a GET."""
        self._http.request("GET", path)
        response = self._http.getresponse()
        response.read()
        return response.status


@contextlib.contextmanager
def running(home: Path, encoder: str) -> Iterator[dict[str, Any]]:
    """A server process over the workspace, and how long it took to be alive and ready."""
    environment = {**os.environ, "IMPRINT_TEXT_ENCODER": encoder}
    command = [sys.executable, "-c", _SERVE, str(home)]
    began_at = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        port = _port(process)
        watch = Connection(port, "none")
        watch.status("/livez")
        alive_s = time.perf_counter() - began_at
        while watch.status("/readyz") != 200:
            time.sleep(0.01)
        ready_s = time.perf_counter() - began_at
        yield {"port": port, "pid": process.pid, "alive_s": alive_s, "ready_s": ready_s}
    finally:
        process.terminate()
        process.wait(60)


def _port(process: subprocess.Popen[str]) -> int:
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"serves http://[^:]+:(\d+)", line):
            # The access log goes there too; a pipe nobody reads would stop the server.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return int(found[1])
    raise SystemExit("the server did not start")


def filled(home: Path, encoder: str, n_supports: int, n_classes: int) -> str:
    """Teach the workspace through the library and make a key."""
    with imprint.open(home, settings=Settings(text_encoder=encoder)) as workspace:
        collection = workspace.collection("tickets", modality="text")
        texts = (f"{WORDS[i % 9]} {WORDS[i // 9 % 9]} number {i}" for i in range(n_supports))
        pairs = ((f"class {i % n_classes}", text) for i, text in enumerate(texts))
        for outcome in collection.teach_many(pairs):
            if isinstance(outcome, Exception):
                raise outcome
        return workspace.create_key("bench", ("teach", "classify"))[1]


def both_doors(
    collection: imprint.Collection, connection: Connection, repeats: int
) -> dict[str, Any]:
    """Classify and teach through the library and through HTTP, in turn."""
    seconds: dict[str, list[float]] = {
        name: [] for name in ("library_classify", "http_classify", "library_teach", "http_teach")
    }
    path = "/v1/collections/tickets"
    for i in range(repeats + 20):
        text = f"where is the {WORDS[i % 9]} of my order number {i} please"
        actions = {
            "library_classify": lambda text=text: collection.classify(text),
            "http_classify": lambda text=text: connection.post(f"{path}:classify", {"text": text}),
            "library_teach": lambda i=i: collection.teach(f"class {i % 50}", f"library text {i}"),
            "http_teach": lambda i=i: connection.post(
                f"{path}/supports", {"label": f"class {i % 50}", "text": f"http text {i}"}
            ),
        }
        for name, action in actions.items():
            if i % 4 and name.endswith("_teach"):
                continue  # writes make the other process catch up: rarer, as in life
            start = time.perf_counter()
            action()
            if i >= 20:
                seconds[name].append(time.perf_counter() - start)
    shown = {name: spread_ms(times) for name, times in seconds.items()}
    return {**shown, "classify_overhead_ms": overhead_ms(shown, "classify")}


def classify_only(
    collection: imprint.Collection, connection: Connection, repeats: int
) -> dict[str, Any]:
    """Classify through both doors with nobody writing."""
    seconds: dict[str, list[float]] = {"library_classify": [], "http_classify": []}
    for i in range(repeats + 20):
        text = f"where is the {WORDS[i % 9]} of my order number {i} please"
        start = time.perf_counter()
        collection.classify(text)
        middle = time.perf_counter()
        connection.post("/v1/collections/tickets:classify", {"text": text})
        end = time.perf_counter()
        if i >= 20:
            seconds["library_classify"].append(middle - start)
            seconds["http_classify"].append(end - middle)
    shown = {name: spread_ms(times) for name, times in seconds.items()}
    return {**shown, "classify_overhead_ms": overhead_ms(shown, "classify")}


def overhead_ms(shown: dict[str, Any], verb: str) -> float:
    """Median through HTTP less the median through the library."""
    difference = shown[f"http_{verb}"]["p50_ms"] - shown[f"library_{verb}"]["p50_ms"]
    return round(float(difference), 3)


def opening_s(home: Path, encoder: str, repeats: int) -> dict[str, list[float]]:
    """Seconds to open the workspace, and to its first answer after that."""
    opened, answered = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        with imprint.open(home, settings=Settings(text_encoder=encoder)) as workspace:
            collection = workspace.collection("tickets")
            opened.append(round(time.perf_counter() - start, 4))
            collection.classify("a first question")
            answered.append(round(time.perf_counter() - start, 4))
    return {"open": sorted(opened), "first_answer": sorted(answered)}


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", default="minilm-l6", help="text encoder to serve with")
    parser.add_argument("--supports", type=int, default=10_000, help="supports taught beforehand")
    parser.add_argument("--classes", type=int, default=1000, help="classes they belong to")
    parser.add_argument("--repeats", type=int, default=300, help="calls of each kind that count")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        secret = filled(home, chosen.encoder, chosen.supports, chosen.classes)
        shown: dict[str, Any] = {
            "machine": machine(),
            "versions": versions("imprint", "uvicorn", "starlette", "numpy"),
            "load_average": os.getloadavg()[0],
            "asked": vars(chosen),
            "seconds": opening_s(home, chosen.encoder, 5),
        }
        settings = Settings(text_encoder=chosen.encoder)
        with (
            running(home, chosen.encoder) as server,
            imprint.open(home, settings=settings) as workspace,
        ):
            connection = Connection(server["port"], secret)
            collection = workspace.collection("tickets")
            shown["resident_mb"] = {"ready": round(rss_mb(server["pid"]), 1)}
            shown["seconds"] |= {name: round(server[f"{name}_s"], 3) for name in ("alive", "ready")}
            shown["reading"] = classify_only(collection, connection, chosen.repeats)
            shown["resident_mb"]["answering"] = round(rss_mb(server["pid"]), 1)
            shown["reading_and_writing"] = both_doors(collection, connection, chosen.repeats)
            shown["resident_mb"]["after"] = round(rss_mb(server["pid"]), 1)
    print(json.dumps(shown, indent=2))


if __name__ == "__main__":
    main()
