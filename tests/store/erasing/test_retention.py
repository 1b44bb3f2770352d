"""Forgotten supports are erased when their time is over, and not before."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from imprint.store import open_store
from store.samples import NOW, add, make, new_support, remove
from store.sealing.test_keyring import on_disk

if TYPE_CHECKING:
    from pathlib import Path

DAY = timedelta(days=1)


def test_what_was_forgotten_long_ago_is_erased_everywhere(tmp_path: Path) -> None:
    store = open_store(tmp_path / "w")
    for name in ("acme", "globex"):
        tenant = store.tenant(name)
        pets = make(tenant)
        add(tenant, pets, *(new_support(n, size=70_000) for n in range(4)))
        remove(tenant, pets, "s0", "s1")
        with tenant.transaction("forget", actor="ann", now=NOW + 5 * DAY) as transaction:
            transaction.remove_supports(pets, ["s2"], erase=False)
    custody = store.custody
    assert custody.erase_forgotten(30 * DAY, actor="cron", now=NOW + 29 * DAY) == 0
    assert custody.erase_forgotten(30 * DAY, actor="cron", now=NOW + 31 * DAY) == 4
    assert custody.erase_forgotten(30 * DAY, actor="cron", now=NOW + 31 * DAY) == 0
    for name in ("acme", "globex"):
        tenant = store.tenant(name)
        assert [c.support_id for c in tenant.changes("id of pets")] == ["s3"]
        assert [c.support_id for c in tenant.as_of("id of pets", 4)] == ["s2", "s3"]
        assert tenant.audit()[-1].verb == "sweep"
    assert store.check()["ok"]
    assert new_support(1, size=70_000).vector.tobytes() not in on_disk(tmp_path / "w")
    store.close()
