"""Two processes on one workspace are safe."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from imprint.store import open_store
from store.samples import add, make, new_support, remove

TESTS = str(Path(__file__).parents[1])
WRITER = """
import sys
sys.path.insert(0, sys.argv[1])
from imprint.store import open_store
from store.samples import add, new_support, remove
store = open_store(sys.argv[2])
tenant = store.tenant("acme")
first, n = int(sys.argv[3]), int(sys.argv[4])
for number in range(first, first + n):
    size = 70_000 if number % 5 == 0 else 30
    (sequence,) = add(tenant, "id of pets", new_support(number, size=size))
    print(number, sequence)
    if number % 7 == 0:
        remove(tenant, "id of pets", f"s{number}", erase=number % 2 == 0)
        print(-number, 0)
store.close()
"""
MAKER = """
import sys
sys.path.insert(0, sys.argv[1])
from imprint.errors import CollectionExistsError
from imprint.store import open_store
from store.samples import make
sys.stdin.read()
store = open_store(sys.argv[2])
try:
    make(store.tenant("acme"))
    print("made")
except CollectionExistsError:
    print("there")
store.close()
"""


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, TESTS, *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)


def test_two_processes_write_at_once_and_lose_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path / "w")
    tenant = store.tenant("acme")
    pets = make(tenant)
    writers = [start(WRITER, tmp_path / "w", first, 60) for first in (1000, 2000)]
    seen = [tenant.sequence(pets)]
    while any(writer.poll() is None for writer in writers):
        seen.append(tenant.sequence(pets))
        assert len(tenant.changes(pets)) <= tenant.sequence(pets)
    lines = [line.split() for writer in writers for line in writer.communicate()[0].splitlines()]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert seen == sorted(seen)
    taught = {int(number): int(sequence) for number, sequence in lines if int(number) > 0}
    removed = {-int(number) for number, _ in lines if int(number) < 0}
    assert len(taught) == 120
    assert tenant.sequence(pets) == len(taught) + len(removed)
    found = {change.support_id: change.sequence for change in tenant.changes(pets)}
    assert found == {f"s{n}": sequence for n, sequence in taught.items() if n not in removed}
    touched = [change.sequence for change in tenant.changes(pets, after=1)]
    assert len(set(touched)) == len(touched)
    for number in taught.keys() - removed:
        assert tenant.raw(pets, f"s{number}") is not None
    report = store.check()
    assert report["ok"], report["problems"]
    assert report["n_orphans"] == 0
    store.close()


def test_many_processes_may_make_the_same_workspace_at_once(tmp_path: Path) -> None:
    makers = [start(MAKER, tmp_path / "w") for _ in range(5)]
    answers = [maker.communicate("go")[0].strip() for maker in makers]
    assert sorted(answers) == ["made", "there", "there", "there", "there"]


def test_one_process_may_erase_what_another_teaches_again(tmp_path: Path) -> None:
    stores = [open_store(tmp_path / "w") for _ in range(2)]
    first, second = (store.tenant("acme") for store in stores)
    pets = make(first)
    for turn in range(10):
        add(first, pets, new_support(1, size=100_000, support_id=f"a{turn}"))
        remove(first, pets, f"a{turn}")
        add(second, pets, new_support(1, size=100_000, support_id=f"b{turn}"))
        remove(first, pets, f"a{turn}", erase=True)
        assert second.raw(pets, f"b{turn}") is not None
        remove(second, pets, f"b{turn}", erase=True)
    assert list((tmp_path / "w" / "blobs").glob("*/*/*")) == []
    for store in stores:
        store.close()
