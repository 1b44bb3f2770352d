"""What expired once stays expired, whatever is done to the machine's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from starlette.testclient import TestClient

import imprint
from imprint.serve.access.clock import SteadyClock
from imprint.serve.app import make_app
from imprint.serve.limits import Limits

if TYPE_CHECKING:
    import pytest

    from imprint.settings import Settings

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Machine:
    """A wall clock that can be set, and one that only counts."""

    def __init__(self) -> None:
        self.wall_at = NOON
        self.counted_s = 0.0

    def passes(self, seconds: float) -> None:
        self.wall_at += timedelta(seconds=seconds)
        self.counted_s += seconds

    def wall(self) -> datetime:
        return self.wall_at

    def counted(self) -> float:
        return self.counted_s


def test_it_goes_with_the_wall_and_not_back_with_it() -> None:
    machine = Machine()
    clock = SteadyClock(machine.wall, None, machine.counted)
    machine.passes(60)
    assert clock.now() == NOON + timedelta(minutes=1)
    machine.wall_at = NOON - timedelta(days=300)
    assert clock.now() == NOON + timedelta(minutes=1)
    machine.passes(60)
    assert clock.now() == NOON + timedelta(minutes=2)


def test_a_jump_ahead_lasts_as_long_as_the_wall_says_so() -> None:
    machine = Machine()
    clock = SteadyClock(machine.wall, None, machine.counted)
    machine.wall_at = NOON + timedelta(days=3650)
    assert clock.now().year == 2036
    machine.wall_at = NOON
    assert clock.now() == NOON


def test_a_server_started_with_a_late_clock_counts_on_from_the_newest_write(
    caplog: pytest.LogCaptureFixture,
) -> None:
    machine = Machine()
    clock = SteadyClock(machine.wall, NOON + timedelta(days=40), machine.counted)
    assert "3456000 s behind" in caplog.text
    machine.passes(1)
    assert clock.now() == NOON + timedelta(days=40, seconds=1)


def test_setting_the_clock_back_does_not_revive_a_key(settings: Settings) -> None:
    machine = Machine()
    with imprint.open(settings=settings) as opened:
        workspace = imprint.Workspace(opened._shared, clock=machine.wall)
        until = NOON + timedelta(minutes=5)
        _, secret = workspace.create_key("short", ("classify",), expires_at=until)
        headers = {"Authorization": f"Bearer {secret}"}
        with TestClient(make_app(workspace, Limits()), headers=headers) as client:
            assert client.get("/v1/collections").status_code == 200
        # Later something was written, then the clock went back and the server was started again.
        machine.passes(600)
        workspace.create_key("other", ("classify",))
        machine.wall_at = NOON
        with TestClient(make_app(workspace, Limits()), headers=headers) as client:
            assert client.get("/v1/collections").status_code == 401
