"""No tenant observes another, whatever three of them do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serve.tenants_walk import NAMES, Walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.testclient import TestClient


def test_no_tenant_observes_another_in_a_few_hundred_steps(
    holder: Callable[..., TestClient],
) -> None:
    walk = Walk({name: holder(tenant=name) for name in NAMES}, seed=11)
    walk.run(300)
    assert walk.observations == []
    assert walk.n_foreign > 15
