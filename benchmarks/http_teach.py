"""Teaching over HTTP with every check: plain, encrypted, and unscreened, taken in turn.

    python benchmarks/http_teach.py ../shared/data

Three servers over fresh workspaces: screening off and plain, screening on and plain, screening on
and encrypted. Each is taught the same BANKING77 texts in random order, one POST after the other,
the servers in turn; the first `--warmup` of each do not count. Prints JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import imprint
from http_door import Connection, running
from imprint.settings import Settings
from machine import machine, spread_ms, versions

ENCODER = "minilm-l6"


def key_of(home: Path) -> str:
    with imprint.open(home, settings=Settings(text_encoder=ENCODER)) as workspace:
        return workspace.create_key("bench", ("teach", "classify", "admin"))[1]


def encrypted_key_of(home: Path, master: Path) -> str:
    """From here on the environment names the master key: servers started later use it."""
    imprint_ = [sys.executable, "-m", "imprint"]
    words = [*imprint_, "keys", "master", "create", str(master)]
    subprocess.run(words, check=True, capture_output=True)
    os.environ["IMPRINT_MASTER_KEY_FILE"] = str(master)
    scopes = [word for s in ("teach", "classify", "admin") for word in ("--scope", s)]
    words = [*imprint_, "keys", "create", "bench", "--json", *scopes, "--home", str(home)]
    told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return str(json.loads(told)["secret"])


def opened(name: str, scratch: Path, stack: contextlib.ExitStack) -> Connection:
    home = scratch / name.replace(", ", "-")
    sealed = name == "encrypted"
    key = encrypted_key_of(home, scratch / "master.key") if sealed else key_of(home)
    door = Connection(stack.enter_context(running(home, ENCODER))["port"], key)
    policy = {"screening": "off"} if name == "plain, off" else {}
    door.post("/v1/collections", {"name": "t", "modality": "text", "policy": policy})
    return door


def taught(doors: dict[str, Connection], rows: list[tuple[str, str]], warmup: int) -> dict:
    timed: dict[str, list[float]] = {name: [] for name in doors}
    states: Counter[str] = Counter()
    for number, (label, text) in enumerate(rows):
        for name, door in doors.items():
            began = time.perf_counter()
            receipt = door.post("/v1/collections/t/supports", {"label": label, "text": text})
            if number >= warmup:
                timed[name].append(time.perf_counter() - began)
                states[f"{name}: {receipt['state']}"] += 1
    return {"states": states, "ms": {name: spread_ms(seconds) for name, seconds in timed.items()}}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("root", type=Path, help="the folder of the data sets")
    options.add_argument("--repeats", type=int, default=400)
    options.add_argument("--warmup", type=int, default=100)
    chosen = options.parse_args()
    with (chosen.root / "banking77" / "train.csv").open(encoding="utf-8", newline="") as stream:
        rows = [(row["category"], row["text"]) for row in csv.DictReader(stream)]
    random.Random(0).shuffle(rows)
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        names = ("plain, off", "plain", "encrypted")
        doors = {name: opened(name, Path(scratch), stack) for name in names}
        found = taught(doors, rows[: chosen.warmup + chosen.repeats], chosen.warmup)
    facts = {"machine": machine(), "versions": versions("cryptography", "starlette")}
    print(json.dumps({**facts, "load": os.getloadavg(), **found}, indent=1))


if __name__ == "__main__":
    main()
