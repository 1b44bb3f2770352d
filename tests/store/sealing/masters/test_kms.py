"""A master key in a key service: signed requests and clear failures."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("botocore", reason="botocore checks our signatures")

from imprint.errors import InvalidOptionError, KeyServiceError, MasterKeyWrongError
from imprint.store import open_store
from imprint.store.sealing.masters.kms import KmsMasterKey, found_credentials
from imprint.store.sealing.masters.sigv4 import Credentials, signed_headers
from store.samples import add, make, new_support
from store.sealing.masters.key_service import MINE, REGION, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from store.sealing.masters.key_service import KeyService

CONTEXT = {"imprint:tenant": "1", "imprint:purpose": "seal"}


@pytest.fixture
def service() -> Iterator[KeyService]:
    with running() as started:
        yield started


def master(service: KeyService, key: str, credentials: Credentials = MINE) -> KmsMasterKey:
    return KmsMasterKey(
        key, region=REGION, endpoint=service.address, credentials=lambda: credentials
    )


def test_a_key_wrapped_by_the_service_comes_back(service: KeyService) -> None:
    held = master(service, service.key("one"))
    wrapped = held.wrap(b"k" * 32, CONTEXT)
    assert b"k" * 32 not in wrapped
    assert held.unwrap(wrapped, CONTEXT) == b"k" * 32


def test_another_key_or_context_is_refused(service: KeyService) -> None:
    held = master(service, service.key("one"))
    wrapped = held.wrap(b"k" * 32, CONTEXT)
    with pytest.raises(MasterKeyWrongError):
        held.unwrap(wrapped, CONTEXT | {"imprint:tenant": "2"})
    with pytest.raises(MasterKeyWrongError):
        master(service, service.key("two")).unwrap(wrapped, CONTEXT)


def test_a_passing_failure_is_tried_again(service: KeyService) -> None:
    held = master(service, service.key("one"))
    service.failures = [(500, "KMSInternalException"), (400, "ThrottlingException")]
    assert held.unwrap(held.wrap(b"k" * 32, CONTEXT), CONTEXT) == b"k" * 32


@pytest.mark.parametrize(
    ("failures", "calls"),
    [([(400, "AccessDeniedException")], 1), ([(503, "KMSInternalException")] * 3, 3)],
)
def test_a_lasting_failure_is_said_and_can_be_tried_later(
    service: KeyService, failures: list[tuple[int, str]], calls: int
) -> None:
    held = master(service, service.key("one"))
    service.failures = list(failures)
    with pytest.raises(KeyServiceError, match=failures[0][1]):
        held.wrap(b"k" * 32, CONTEXT)
    assert len(service.calls) == calls


def test_a_wrong_signature_is_refused_by_the_service(service: KeyService) -> None:
    wrong = Credentials(MINE.access_key, "another secret")
    with pytest.raises(KeyServiceError, match="InvalidSignature"):
        master(service, service.key("one"), wrong).wrap(b"k" * 32, CONTEXT)


def test_a_service_that_is_not_there_is_said_to_be_silent() -> None:
    held = KmsMasterKey(
        "one", region=REGION, endpoint="http://127.0.0.1:9", credentials=lambda: MINE
    )
    with pytest.raises(KeyServiceError, match="ConnectionRefusedError"):
        held.wrap(b"k" * 32, CONTEXT)


def test_a_workspace_needs_its_key_service_only_to_open(
    service: KeyService, tmp_path: Path
) -> None:
    key = service.key("one")
    store = open_store(tmp_path / "w", master_keys=[master(service, key)])
    pets = make(store.tenant("acme"))
    calls = len(service.calls)
    for number in range(20):
        add(store.tenant("acme"), pets, new_support(number))
    assert len(store.tenant("acme").changes(pets)) == 20
    assert len(service.calls) <= calls + 3
    store.close()
    again = open_store(tmp_path / "w", master_keys=[master(service, key)])
    service.failures = [(503, "KMSInternalException")] * 3
    with pytest.raises(KeyServiceError):
        again.tenant("acme").changes(pets)
    assert len(again.tenant("acme").changes(pets)) == 20
    again.close()
    with pytest.raises(MasterKeyWrongError, match="kms:one"):
        open_store(tmp_path / "w", master_keys=[master(service, service.key("two"))])


@pytest.mark.parametrize(
    ("key", "options"),
    [
        ("one", {}),
        ("one", {"region": REGION, "endpoint": "http://example.org"}),
        ("one", {"region": REGION, "endpoint": "kms"}),
    ],
)
def test_what_cannot_work_is_refused_at_once(
    key: str, options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    with pytest.raises(InvalidOptionError):
        KmsMasterKey(key, **options)


def test_the_region_is_read_off_the_arn() -> None:
    arn = f"arn:aws:kms:{REGION}:111122223333:key/1234abcd"
    assert KmsMasterKey(arn)._address.hostname == f"kms.{REGION}.amazonaws.com"
    assert KmsMasterKey(arn).key_id == f"kms:{arn}"


def test_credentials_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    found = found_credentials()
    assert (found.access_key, found.secret_key, found.token) == ("id", "secret", "token")
    assert "secret'" not in repr(found)


def test_without_a_session_token_none_is_sent() -> None:
    now = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)
    signed = signed_headers(
        {"Host": "kms.example"},
        b"{}",
        credentials=Credentials("id", "secret"),
        region=REGION,
        service="kms",
        now=now,
    )
    assert "X-Amz-Security-Token" not in signed
    assert signed["X-Amz-Date"] == "20260314T150926Z"
