"""Limits hold inside each write: not one too many, whoever writes at the same time."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest

from imprint.errors import InvalidOptionError, QuotaExceededError
from imprint.store import open_store
from imprint.store.quota.limits import Usage, read_limits
from store.samples import NOW, add, make, new_support, remove

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imprint.store.ports import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "w")
    yield opened
    opened.close()


def limit(store: Store, **changes: int | None) -> None:
    store.quotas.change("acme", changes, now=NOW, actor="operator")


def test_one_more_than_the_limit_is_refused_and_nothing_of_it_stays(store: Store) -> None:
    acme = store.tenant("acme")
    pets = make(acme)
    limit(store, supports=3)
    add(acme, pets, new_support(1), new_support(2))
    with pytest.raises(QuotaExceededError, match=r"4 supports.*limit is 3 \(2 are held\)"):
        add(acme, pets, new_support(3), new_support(4))
    assert store.quotas.usage("acme") == Usage(2, 1, 40)
    add(acme, pets, new_support(3))
    remove(acme, pets, "s1")
    add(acme, pets, new_support(5))
    assert store.quotas.usage("acme").supports == 3


def test_classes_and_bytes_have_limits_of_their_own(store: Store) -> None:
    acme = store.tenant("acme")
    pets = make(acme)
    limit(store, classes=2, bytes=200)
    add(acme, pets, new_support(1, "cat"), new_support(2, "dog"), new_support(3, None))
    with pytest.raises(QuotaExceededError, match="classes"):
        add(acme, pets, new_support(4, "cow"))
    with pytest.raises(QuotaExceededError, match="bytes"):
        add(acme, pets, new_support(5, "cat", size=141))
    add(acme, pets, new_support(5, "cat", size=140))
    # Forgotten bytes are still on the disk; erased ones are not.
    remove(acme, pets, "s5")
    assert store.quotas.usage("acme") == Usage(3, 2, 200)
    remove(acme, pets, "s5", erase=True)
    assert store.quotas.usage("acme") == Usage(3, 2, 60)


def test_all_collections_of_a_tenant_count_and_no_one_elses(store: Store) -> None:
    acme, other = store.tenant("acme"), store.tenant("umbrella")
    pets, tools, theirs = make(acme), make(acme, "tools"), make(other, "theirs")
    limit(store, supports=2)
    add(other, theirs, *(new_support(i) for i in range(5)))
    add(acme, pets, new_support(1))
    add(acme, tools, new_support(1))
    with pytest.raises(QuotaExceededError):
        add(acme, tools, new_support(2))
    with acme.transaction("drop", actor="ann", now=NOW) as writing:
        writing.drop_collection(pets)
    add(acme, tools, new_support(2))
    assert store.quotas.usage("umbrella").supports == 5


def test_a_lowered_limit_lets_things_shrink(store: Store) -> None:
    acme = store.tenant("acme")
    pets = make(acme)
    add(acme, pets, *(new_support(i) for i in range(5)))
    limit(store, supports=2)
    remove(acme, pets, "s1")
    with acme.transaction("policy", actor="ann", now=NOW) as writing:
        writing.update_policy(pets, {"head": "auto"})
    with pytest.raises(QuotaExceededError):
        add(acme, pets, new_support(9))
    limit(store, supports=None)
    add(acme, pets, new_support(9))


def test_a_limit_of_its_own_goes_before_the_default(store: Store) -> None:
    store.quotas.defaults = {"supports": 1, "requests_per_minute": 60}
    acme, other = store.tenant("acme"), store.tenant("umbrella")
    pets, theirs = make(acme), make(other)
    limit(store, supports=2)
    add(acme, pets, new_support(1), new_support(2))
    add(other, theirs, new_support(1))
    with pytest.raises(QuotaExceededError):
        add(other, theirs, new_support(2))
    assert store.quotas.limits("acme") == {"supports": 2, "requests_per_minute": 60}


def test_writers_side_by_side_do_not_pass_the_limit_together(tmp_path: Path) -> None:
    with_limit = open_store(tmp_path / "w")
    pets = make(with_limit.tenant("acme"))
    limit(with_limit, supports=20)
    # Connections of their own, as processes have them.
    stores = [open_store(tmp_path / "w") for _ in range(4)]
    refused: list[int] = []

    def write(store: Store, first: int) -> None:
        tenant = store.tenant("acme")
        for i in range(first, first + 10):
            try:
                add(tenant, pets, new_support(i))
            except QuotaExceededError:
                refused.append(i)

    writers = [threading.Thread(target=write, args=(one, 100 * i)) for i, one in enumerate(stores)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert with_limit.quotas.usage("acme").supports == 20
    assert len(refused) == 20
    for one in (*stores, with_limit):
        one.close()


def test_the_counts_are_those_of_a_count_after_any_writes(tmp_path: Path) -> None:
    import random

    rng = random.Random(5)
    store = open_store(tmp_path / "w")
    tenant = store.tenant("acme")
    collections = [make(tenant, name) for name in ("pets", "tools")]
    live: list[tuple[str, str]] = []
    for i in range(200):
        place = rng.choice(collections)
        if live and rng.random() < 0.4:
            place, name = live.pop(rng.randrange(len(live)))
            remove(tenant, place, name, erase=rng.random() < 0.5)
        else:
            label = rng.choice(["cat", "dog", "cow", None])
            add(tenant, place, new_support(i, label, size=rng.randrange(1, 50)))
            live.append((place, f"s{i}"))
    found = store.quotas.usage("acme")
    store.close()
    with sqlite3.connect(tmp_path / "w" / "imprint.sqlite") as connection:
        (counted,) = connection.execute(
            "SELECT sum(removed_sequence IS NULL), count(DISTINCT CASE WHEN removed_sequence IS "
            "NULL THEN collection || label END), sum(size_bytes) FROM supports"
        )
    connection.close()
    assert found == Usage(*counted)


def test_limits_are_read_from_text_and_wrong_ones_refused() -> None:
    assert read_limits("supports=100k, bytes=2G requests_per_day=5") == {
        "supports": 100_000,
        "bytes": 2_000_000_000,
        "requests_per_day": 5,
    }
    assert read_limits("") == {}
    for text in ("supports", "supports=", "supports=-1", "stars=3", "bytes=1.5G", "bytes=9999999t"):
        with pytest.raises(InvalidOptionError):
            read_limits(text)
