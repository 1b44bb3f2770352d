"""Truth under kill: what got its 201 survives SIGKILL, is classifiable, and is there exactly once.

Several connections teach, repeat and forget over HTTP while the server is killed at random
moments. After every restart the ledger of what was acknowledged is held against the store.
Requests that got no answer are in doubt: they may have happened or not, but not halfway, and
repeating them settles the matter.
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import imprint
from imprint.settings import Settings
from serve.real_server import RealServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imprint.encoders.protocol import Encoder

HERE = "/v1/collections/tickets"
# What is held for review is durable as well, but does not answer: that is another promise.
COLLECTION = {"name": "tickets", "modality": "text", "policy": {"screening": "off"}}
N_WRITERS = 4
N_LABELS = 12
WORDS = ["parcel", "refund", "invoice", "password", "login", "crash", "slow", "price", "color"]
REAL_ENCODER = {"IMPRINT_TEXT_ENCODER": "minilm-l6"}


@dataclass
class Ledger:
    """What the writers know: acknowledged supports by text, forgotten ones, and doubts."""

    taught: dict[str, tuple[str, str]] = field(default_factory=dict)  # text: (id, label)
    forgotten: set[str] = field(default_factory=set)  # support ids
    doubts: dict[str, str] = field(default_factory=dict)  # text: label
    forget_doubts: dict[str, str] = field(default_factory=dict)  # text: support id
    lock: threading.Lock = field(default_factory=threading.Lock)

    def pick(self, rng: random.Random) -> tuple[str, tuple[str, str]] | None:
        with self.lock:
            texts = list(self.taught)
            return (text := rng.choice(texts), self.taught[text]) if texts else None


class Writer(threading.Thread):
    """One connection that teaches, now and then repeats or forgets, until the server is gone."""

    def __init__(self, server: RealServer, ledger: Ledger, name: str, rng: random.Random) -> None:
        super().__init__(name=name, daemon=True)
        self._server = server
        self._ledger = ledger
        self._rng = rng
        self.wrong: list[str] = []

    def run(self) -> None:
        number = 0
        with self._server.client() as client:
            try:
                while True:
                    number += 1
                    self._step(client, number)
            except httpx.TransportError:
                return

    def _step(self, client: httpx.Client, number: int) -> None:
        chance = self._rng.random()
        if chance < 0.1 and (picked := self._ledger.pick(self._rng)):
            text, (support_id, label) = picked
            self._repeat(client, text, label, support_id)
        elif chance < 0.2 and (picked := self._ledger.pick(self._rng)):
            self._forget(client, picked[0])
        else:
            words = " ".join(self._rng.choices(WORDS, k=4))
            label = f"class {self._rng.randrange(N_LABELS)}"
            self._teach(client, f"{words} {self.name} {number}", label)

    def _teach(self, client: httpx.Client, text: str, label: str) -> None:
        with self._ledger.lock:
            self._ledger.doubts[text] = label
        headers = {"Idempotency-Key": text.replace(" ", "-")} if self._rng.random() < 0.5 else {}
        shape = {"label": label, "text": text}
        response = client.post(f"{HERE}/supports", json=shape, headers=headers)
        with self._ledger.lock:
            self._ledger.doubts.pop(text)
            if response.status_code == 201:
                self._ledger.taught[text] = (response.json()["support_id"], label)
            else:
                self.wrong.append(response.text)

    def _repeat(self, client: httpx.Client, text: str, label: str, support_id: str) -> None:
        if self.name not in text:
            return  # another writer may be about to forget it
        response = client.post(f"{HERE}/supports", json={"label": label, "text": text})
        if response.status_code != 201 or response.json()["support_id"] != support_id:
            self.wrong.append(f"{support_id} repeated: {response.text}")

    def _forget(self, client: httpx.Client, text: str) -> None:
        with self._ledger.lock:
            if text not in self._ledger.taught or self.name not in text:
                return
            support_id, _ = self._ledger.taught.pop(text)
            self._ledger.forget_doubts[text] = support_id
        response = client.delete(f"{HERE}/supports/{support_id}")
        with self._ledger.lock:
            self._ledger.forget_doubts.pop(text)
            self._ledger.forgotten.add(support_id)
            if response.status_code != 200:
                self.wrong.append(response.text)


def every_support(client: httpx.Client) -> Iterator[dict[str, Any]]:
    query = {"limit": "1000"}
    while True:
        page = client.get(f"{HERE}/supports", params=query).json()
        yield from page["items"]
        if page["next_cursor"] is None:
            return
        query["cursor"] = page["next_cursor"]


def settle_doubts(client: httpx.Client, ledger: Ledger) -> None:
    """Repeat what got no answer; afterwards everything is acknowledged one way or the other."""
    for text, label in ledger.doubts.items():
        response = client.post(f"{HERE}/supports", json={"label": label, "text": text})
        assert response.status_code == 201, response.text
        ledger.taught[text] = (response.json()["support_id"], label)
    for support_id in ledger.forget_doubts.values():
        assert client.delete(f"{HERE}/supports/{support_id}").status_code in {200, 404}
        ledger.forgotten.add(support_id)
    ledger.doubts.clear()
    ledger.forget_doubts.clear()


def hold_against_the_store(client: httpx.Client, ledger: Ledger) -> None:
    """Acknowledged means there, once, under its label; forgotten means gone; nothing halfway."""
    supports = list(every_support(client))
    by_id = {one["support_id"]: one for one in supports}
    assert len(by_id) == len(supports)
    assert len({one["content_hash"] for one in supports}) == len(supports)
    lost = [text for text, (one, _) in ledger.taught.items() if one not in by_id]
    assert lost == []
    assert all(by_id[one]["label"] == label for one, label in ledger.taught.values())
    assert not ledger.forgotten & set(by_id)
    acknowledged = {one for one, _ in ledger.taught.values()}
    unexplained = set(by_id) - acknowledged
    assert len(unexplained) <= len(ledger.doubts) + len(ledger.forget_doubts)
    counted = client.get(f"{HERE}/labels", params={"limit": "1000"}).json()["items"]
    assert sum(one["n_supports"] for one in counted) == len(supports)


def classify_them(client: httpx.Client, ledger: Ledger, texts: list[str]) -> None:
    """Every one of these is found again as the nearest support, with its raw bytes whole."""
    for start in range(0, len(texts), 200):
        some = texts[start : start + 200]
        answers = client.post(f"{HERE}:classify", json={"inputs": some}).json()["answers"]
        for text, answer in zip(some, answers, strict=True):
            same = [one for one in answer["evidence"] if one["similarity"] > 0.9999]
            assert ledger.taught[text][0] in [one["support_id"] for one in same], text
    for text in texts[:20]:
        raw = client.get(f"{HERE}/supports/{ledger.taught[text][0]}/raw")
        assert (raw.status_code, raw.text) == (200, text)


def one_life(server: RealServer, ledger: Ledger, life: int, rng: random.Random) -> None:
    """Check what earlier lives left, then write until a kill at a random moment."""
    with server.client() as client:
        hold_against_the_store(client, ledger)
        settle_doubts(client, ledger)
        hold_against_the_store(client, ledger)
        texts = list(ledger.taught)
        classify_them(client, ledger, rng.sample(texts, min(20, len(texts))))
    writers = [
        Writer(server, ledger, f"w{life}x{i}", random.Random(rng.random()))
        for i in range(N_WRITERS)
    ]
    for writer in writers:
        writer.start()
    threading.Event().wait(rng.uniform(0.02, 0.6))
    server.kill()
    for writer in writers:
        writer.join(60)
        assert not writer.is_alive()
        assert writer.wrong == []


def live_and_die(home: Path, n_kills: int, settings: dict[str, str] | None = None) -> Ledger:
    """Kill the server `n_kills` times and check everything once more at the end."""
    rng = random.Random(n_kills)
    ledger = Ledger()
    secret = None
    for life in range(n_kills):
        with RealServer(home, secret=secret, settings=settings) as server:
            secret = server.secret
            with server.client() as client:
                client.post("/v1/collections", json=COLLECTION)
            one_life(server, ledger, life, rng)
    with RealServer(home, secret=secret, settings=settings) as server, server.client() as client:
        hold_against_the_store(client, ledger)
        settle_doubts(client, ledger)
        hold_against_the_store(client, ledger)
        classify_them(client, ledger, list(ledger.taught))
        assert server.terminate() == 0
    return ledger


def no_file_is_left_over(home: Path) -> None:
    """The store itself finds nothing damaged, missing or superfluous."""
    with imprint.open(home, settings=Settings(text_encoder="toy-text")) as workspace:
        report = workspace.check()
    assert report["ok"], report


def test_what_was_acknowledged_survives_a_few_kills(tmp_path: Path) -> None:
    ledger = live_and_die(tmp_path / "home", 5)
    assert len(ledger.taught) > 20
    no_file_is_left_over(tmp_path / "home")


def test_it_survives_with_the_real_text_encoder_too(tmp_path: Path, text_encoder: Encoder) -> None:
    assert text_encoder.modality == "text"
    ledger = live_and_die(tmp_path / "home", 2, REAL_ENCODER)
    assert ledger.taught


@pytest.mark.stress
def test_what_was_acknowledged_survives_fifty_kills(tmp_path: Path) -> None:
    ledger = live_and_die(tmp_path / "home", 50)
    assert len(ledger.taught) > 200
    no_file_is_left_over(tmp_path / "home")


@pytest.mark.stress
def test_it_survives_ten_kills_with_the_real_text_encoder(
    tmp_path: Path, text_encoder: Encoder
) -> None:
    assert text_encoder.modality == "text"
    assert live_and_die(tmp_path / "home", 10, REAL_ENCODER).taught
