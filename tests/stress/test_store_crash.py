"""A process killed in the middle of writing loses nothing it acknowledged and leaves no halves."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from imprint.store import open_store
from store.samples import content, make, vector

if TYPE_CHECKING:
    from collections.abc import Iterator

PETS = "id of pets"
N_KILLS = 20
APART = 100_000  # numbers of one run start here, of the next one that much later
SIZES = (30, 3_000, 90_000)
TESTS = str(Path(__file__).parents[1])
WRITER = """
import sys
sys.path.insert(0, sys.argv[1])
from imprint.store import open_store
from store.samples import add, new_support, remove
from stress.test_store_crash import SIZES
store = open_store(sys.argv[2])
tenant = store.tenant("acme")
number = int(sys.argv[3])
while True:
    n = 1 + number % 4
    group = [new_support(k, size=SIZES[k % 3]) for k in range(number, number + n)]
    add(tenant, "id of pets", *group)
    print(*(f"+{k}" for k in range(number, number + n)), flush=True)
    if number % 5 == 0:
        print(f"?{number}", flush=True)
        remove(tenant, "id of pets", f"s{number}", erase=True)
        print(f"-{number}", flush=True)
    number += n
"""


@dataclass
class Said:
    """Numbers a writer spoke of before it was killed."""

    taught: set[int] = field(default_factory=set)
    erasing: set[int] = field(default_factory=set)
    erased: set[int] = field(default_factory=set)

    def hear(self, line: str) -> None:
        if not line.endswith("\n"):
            return  # cut off by the kill
        kinds = {"+": self.taught, "?": self.erasing, "-": self.erased}
        for word in line.split():
            kinds[word[0]].add(int(word[1:]))


def kill_while_writing(folder: Path, first: int, after_s: float, said: Said) -> None:
    command = [sys.executable, "-c", WRITER, TESTS, str(folder), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said.hear(process.stdout.readline())  # the clock starts once it writes
        timer = threading.Timer(after_s, process.kill)
        timer.start()
        for line in process.stdout:
            said.hear(line)
        timer.cancel()


def live_after_reopening(folder: Path) -> tuple[list[int], float]:
    """Numbers of the live supports, and how long opening and loading took."""
    started = time.perf_counter()
    store = open_store(folder)
    changes = store.tenant("acme").changes(PETS)
    took_s = time.perf_counter() - started
    store.close()
    return [int(change.support_id[1:]) for change in changes], took_s


def groups(first: int, last: int) -> Iterator[range]:
    """What the writer stores together."""
    while first <= last:
        yield range(first, first + 1 + first % 4)
        first += 1 + first % 4


@pytest.mark.stress
def test_every_acknowledged_support_survives_a_kill_exactly_once(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    store = open_store(folder)
    make(store.tenant("acme"))
    store.close()
    rng = random.Random(7)
    said = Said()
    for kill in range(N_KILLS):
        kill_while_writing(folder, kill * APART, rng.uniform(0.0, 0.4), said)
        found, took_s = live_after_reopening(folder)
        assert took_s < 2.0
        assert len(found) == len(set(found))
        assert said.taught - said.erasing <= set(found)
        assert not said.erased & set(found)
    assert len(said.taught) > N_KILLS
    everything_is_whole(folder)


def everything_is_whole(folder: Path) -> None:
    store = open_store(folder)
    tenant = store.tenant("acme")
    changes = tenant.changes(PETS)
    for change in changes:
        number = int(change.support_id[1:])
        assert change.vector.tobytes() == vector(number).tobytes()
        raw = tenant.raw(PETS, change.support_id)
        assert raw is not None
        assert raw.content == content(number, SIZES[number % 3])
    ever = {int(change.support_id[1:]) for change in changes + tenant.changes(PETS, after=1)}
    for kill in range(N_KILLS):
        mine = {number for number in ever if number // APART == kill}
        for group in groups(kill * APART, max(mine)):
            assert len(mine & set(group)) in {0, len(group)}
    report = store.check()
    assert report["ok"], report["problems"]
    assert store.check()["n_orphans"] == 0
    store.close()
