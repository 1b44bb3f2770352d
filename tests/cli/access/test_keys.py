"""Keys from the command line: made with little power, listed without secrets, renewed, ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import imprint
from imprint.cli.access.keys import DEFAULT_SCOPES, SCOPES, moment, span
from imprint.errors import InvalidKeyError, InvalidOptionError
from imprint.serve import auth

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def test_the_scopes_of_the_help_are_those_of_the_server() -> None:
    assert SCOPES == auth.SCOPES
    assert DEFAULT_SCOPES == auth.DEFAULT_SCOPES


def test_a_key_made_without_scopes_shows_no_samples_and_governs_nothing(told) -> None:
    assert told("keys", "create", "laptop")["scopes"] == ["teach", "classify"]


def test_a_key_is_created_listed_and_revoked(told, run) -> None:
    made = told("keys", "create", "laptop", "--scope", "classify", "--expires", "30d")
    assert made["scopes"] == ["classify"]
    assert made["expires_at"] > made["created_at"]
    secret = made["secret"]
    listed = run("keys", "list", "--json").stdout
    assert made["key_id"] in listed
    assert secret not in listed
    assert told("keys", "revoke", made["key_id"]) == {"revoked": made["key_id"]}
    assert "revoked" in run("keys", "list").stdout
    assert told("keys", "revoke", "nothing", code=4)["error"]["code"]


def test_only_the_secret_is_on_standard_output(run) -> None:
    result = run("keys", "create", "laptop")
    assert result.stdout.startswith("imp_")
    assert result.stdout.count("\n") == 1
    assert "only time" in result.stderr


def test_a_scope_that_does_not_exist_is_a_usage_error(run) -> None:
    assert run("keys", "create", "laptop", "--scope", "everything").exit_code == 2


def test_an_expiring_key_says_when_in_the_list(told, run) -> None:
    told("keys", "create", "laptop", "--expires", "2h")
    told("keys", "create", "forever")
    listed = {key["name"]: key for key in told("keys", "list")["keys"]}
    assert listed["laptop"]["state"] == "valid"
    assert listed["forever"]["expires_at"] is None
    assert "never" in run("keys", "list").stdout


def test_keys_of_one_tenant_are_listed_alone(told) -> None:
    told("keys", "create", "one", "--tenant", "acme")
    told("keys", "create", "two", "--tenant", "umbrella")
    assert [key["name"] for key in told("keys", "list", "--tenant", "acme")["keys"]] == ["one"]


def test_a_rotated_key_keeps_its_powers_and_the_old_one_ends_after_the_overlap(told, home) -> None:
    old = told("keys", "create", "laptop", "--scope", "classify", "--expires", "30d")
    new = told("keys", "rotate", old["key_id"], "--overlap", "1h")
    assert new["secret"] != old["secret"]
    assert (new["name"], new["tenant"], new["scopes"]) == ("laptop", "default", ["classify"])
    with imprint.open(home) as workspace:
        now = workspace.clock()
        assert workspace.key(old["secret"], now=now + timedelta(minutes=59)).name == "laptop"
        with pytest.raises(InvalidKeyError):
            workspace.key(old["secret"], now=now + timedelta(minutes=61))
        assert workspace.key(new["secret"], now=now + timedelta(days=29)).name == "laptop"
        with pytest.raises(InvalidKeyError):
            workspace.key(new["secret"], now=now + timedelta(days=31))


def test_an_overlap_never_lengthens_a_life(told, home) -> None:
    old = told("keys", "create", "laptop", "--expires", "10m")
    told("keys", "rotate", old["key_id"], "--overlap", "30d")
    with imprint.open(home) as workspace, pytest.raises(InvalidKeyError):
        workspace.key(old["secret"], now=workspace.clock() + timedelta(minutes=11))


def test_a_key_that_ended_is_not_rotated(told) -> None:
    old = told("keys", "create", "laptop")
    told("keys", "revoke", old["key_id"])
    assert told("keys", "rotate", old["key_id"], code=4)["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("text", "length"),
    [("90m", timedelta(minutes=90)), ("12h", timedelta(hours=12)), ("8w", timedelta(weeks=8))],
)
def test_lengths_of_time_are_read(text: str, length: timedelta) -> None:
    assert span(text) == length
    assert moment(text, NOW) == NOW + length


def test_a_date_is_taken_as_utc() -> None:
    assert moment("2026-06-01", NOW) == datetime(2026, 6, 1, tzinfo=UTC)
    assert moment(None, NOW) is None


@pytest.mark.parametrize("text", ["", "soon", "-1d", "0m", "99999999w", "2026-04-30", "1.5h", "3y"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(InvalidOptionError):
        moment(text, NOW)
