"""A receipt is true under SIGKILL: what the library acknowledged is there, whole and once.

A child process teaches short texts, a long one now and then (kept as a file beside the database),
singly and in batches, and prints each receipt after it has it. It is killed at a random moment.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

import imprint
from imprint.encoders.toy import ToyEncoder
from imprint.settings import Settings

CHILD = r"""
import json, random, sys
import imprint
from imprint.encoders.toy import ToyEncoder

home, seed = sys.argv[1], int(sys.argv[2])
rng = random.Random(seed)
workspace = imprint.open(home)
unscreened = {"screening": "off"}
collection = workspace.collection(
    "t", modality="text", encoder=ToyEncoder("text"), policy=unscreened
)

def tell(receipt, text):
    print(json.dumps([receipt.support_id, receipt.label, text, receipt.sequence]), flush=True)

print("ready", flush=True)
for i in range(100_000):
    label = f"class {rng.randrange(7)}"
    text = f"text {seed} {i}"
    if i % 5 == 4:
        text += " \U0001f600" + "\U0001f600" * 18_000
    if i % 7 == 6:
        pairs = [(label, f"part {j} {text}") for j in range(20)]
        for (_, one), receipt in zip(pairs, collection.teach_many(pairs)):
            tell(receipt, one)
    else:
        tell(collection.teach(label, text), text)
    if i % 3 == 0:
        collection.classify(text)
"""


def run_and_kill(home: Path, seed: int, alive_s: float) -> list[tuple[str, str, str, int]]:
    """Start the child, let it teach for a while, kill it; what it had acknowledged."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(home), str(seed)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    deadline = time.monotonic() + alive_s
    lines = []
    while time.monotonic() < deadline:
        lines.append(child.stdout.readline())
    child.kill()
    lines += child.stdout.read().splitlines(keepends=True)
    child.wait()
    child.stdout.close()
    # A line cut off by the kill was never received whole: it is not an acknowledgement.
    return [tuple(json.loads(line)) for line in lines if line.endswith("]\n")]


def check_everything(home: Path, told: list[tuple[str, str, str, int]]) -> None:
    with imprint.open(home, settings=Settings()) as workspace:
        collection = workspace.collection("t", encoder=ToyEncoder("text"))
        stored = {}
        after = None
        while page := collection.supports(limit=1000, after=after):
            for one in page:
                assert one.support_id not in stored
                stored[one.support_id] = one
            after = page[-1].support_id
        assert len({one.sequence for one in stored.values()}) == len(stored)
        assert sum(collection.labels().values()) == len(stored)
        for support_id, label, text, sequence in told:
            assert stored[support_id].label == label
            assert stored[support_id].sequence == sequence
            raw = collection.raw(support_id)
            assert raw is not None
            assert raw.content.decode() == text
        for support_id, _, text, _ in random.Random(0).sample(told, min(25, len(told))):
            nearest = collection.classify(text, top_k=20).evidence
            assert support_id in {one.support_id for one in nearest if one.similarity > 0.9999}
        report = workspace.check()
        assert report["ok"], report


def kill_often(home: Path, n_kills: int) -> None:
    rng = random.Random(11)
    told: list[tuple[str, str, str, int]] = []
    for seed in range(n_kills):
        told += run_and_kill(home, seed, rng.uniform(0.05, 0.5))
        check_everything(home, told)
    assert len(told) > n_kills


def test_what_the_library_acknowledged_survives_a_few_kills(tmp_path: Path) -> None:
    kill_often(tmp_path / "w.imprint.d", 4)


@pytest.mark.stress
def test_what_the_library_acknowledged_survives_fifty_kills(tmp_path: Path) -> None:
    kill_often(tmp_path / "w.imprint.d", 50)
