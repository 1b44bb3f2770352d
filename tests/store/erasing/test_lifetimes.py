"""Lifetimes as the store tells them: what is due, what comes next, what may be purged."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from imprint.store import open_store
from imprint.store.ports import Revision
from store.samples import NOW, add, make, new_support, remove
from store.sealing.test_keyring import on_disk

if TYPE_CHECKING:
    from pathlib import Path

DAY = timedelta(days=1)


def test_what_was_forgotten_long_ago_is_told_and_erased_everywhere(tmp_path: Path) -> None:
    store = open_store(tmp_path / "w")
    tenant = store.tenant("acme")
    pets = make(tenant)
    add(tenant, pets, *(new_support(n, size=70_000) for n in range(4)))
    remove(tenant, pets, "s0", "s1")
    with tenant.transaction("forget", actor="ann", now=NOW + 5 * DAY) as transaction:
        transaction.remove_supports(pets, ["s2"], erase=False)
    lifetimes = tenant.lifetimes
    assert lifetimes.forgotten(pets, NOW - DAY, 10) == []
    chosen = lifetimes.forgotten(pets, NOW + DAY, 10)
    assert chosen == ["s0", "s1"]
    with tenant.transaction("sweep", actor="cron", now=NOW + 31 * DAY) as transaction:
        transaction.remove_supports(pets, chosen, erase=True)
    assert lifetimes.forgotten(pets, NOW + DAY, 10) == []
    assert [c.support_id for c in tenant.as_of(pets, 4)] == ["s2", "s3"]
    assert len(lifetimes.lost(pets, 4, NOW + DAY)) == 2
    assert store.check()["ok"]
    assert new_support(1, size=70_000).vector.tobytes() not in on_disk(tmp_path / "w")
    store.close()


def test_a_support_brought_back_with_a_new_end_is_due_then_and_not_by_its_age() -> None:
    store = open_store(None)
    tenant = store.tenant("acme")
    pets = make(tenant)
    add(tenant, pets, new_support(0), new_support(1, expires_at=NOW + 9 * DAY))
    told = tenant.lifetimes
    assert told.next_expiry(pets, None) == NOW + 9 * DAY
    assert told.next_expiry(pets, 5 * DAY) == NOW + 5 * DAY
    assert told.due(pets, NOW + 5 * DAY, 5 * DAY, 10) == ["s0", "s1"]
    assert told.due(pets, NOW + 5 * DAY, None, 10) == []
    remove(tenant, pets, "s0")
    label = new_support(0).label
    with tenant.transaction("revert", actor="ann", now=NOW + 6 * DAY) as transaction:
        transaction.revise_supports(
            pets, [Revision("s0", label, "active", renewed_until=NOW + 11 * DAY)]
        )
    assert told.life(pets, "s0").ends(5 * DAY) == NOW + 11 * DAY
    assert told.due(pets, NOW + 6 * DAY, 5 * DAY, 10) == ["s1"]
    assert told.due(pets, NOW + 11 * DAY, None, 10) == ["s0", "s1"]
    assert told.next_expiry(pets, 5 * DAY, beyond=NOW + 6 * DAY) == NOW + 9 * DAY
    store.close()
