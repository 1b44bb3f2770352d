"""Ten thousand steps of three tenants, and whether "not yours" takes as long as "not there"."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import httpx
import pytest

import imprint
from imprint.serve.auth import SCOPES
from imprint.settings import Settings
from serve.real_server import RealServer
from serve.tenants_walk import NAMES, Walk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def clients(tmp_path: Path) -> Iterator[dict[str, httpx.Client]]:
    home = tmp_path / "home"
    with imprint.open(home, settings=Settings(text_encoder="toy-text")) as workspace:
        secrets = {name: workspace.create_key("k", SCOPES, tenant=name)[1] for name in NAMES}
    with RealServer(home, secret="imp_none") as server:
        made = {
            name: httpx.Client(
                base_url=server.address, headers={"Authorization": f"Bearer {secret}"}, timeout=60
            )
            for name, secret in secrets.items()
        }
        yield made
        for client in made.values():
            client.close()


@pytest.mark.stress
def test_no_tenant_observes_another_in_ten_thousand_steps(
    clients: dict[str, httpx.Client],
) -> None:
    walk = Walk(clients, seed=2026)
    walk.run(10_000)
    assert walk.observations == []
    assert walk.n_foreign > 500


@pytest.mark.stress
def test_not_yours_takes_as_long_as_not_there(clients: dict[str, httpx.Client]) -> None:
    acme, other = clients["acme"], clients["umbrella"]
    for client in (acme, other):
        client.post("/v1/collections", json={"name": "pets", "modality": "text"})
    taught = acme.post("/v1/collections/pets/supports", json={"label": "a", "text": "some words"})
    theirs = f"/v1/collections/pets/supports/{taught.json()['support_id']}"
    nobodys = f"/v1/collections/pets/supports/s_{'0' * 20}"
    times: dict[str, list[float]] = {theirs: [], nobodys: []}
    for i in range(3000):
        # In turn, and the first of each pair alternates: what came before must not matter.
        for path in (theirs, nobodys) if i % 2 else (nobodys, theirs):
            began = time.perf_counter()
            assert other.get(path).status_code == 404
            times[path].append(time.perf_counter() - began)
    pairs = [a - b for a, b in zip(times[theirs], times[nobodys], strict=True)]
    # The median difference lies within three standard errors of the median of no difference.
    spread = statistics.median(abs(one - statistics.median(pairs)) for one in pairs) * 1.4826
    error = 1.2533 * spread / len(pairs) ** 0.5
    print(f"median difference {statistics.median(pairs) * 1e6:.2f} us, error {error * 1e6:.2f} us")
    assert abs(statistics.median(pairs)) < max(3 * error, 5e-6)
