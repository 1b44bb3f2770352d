"""What every back end of the store promises, one suite over all of them."""

from __future__ import annotations

import threading
import traceback
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from imprint.errors import (
    AnswerNotFoundError,
    CollectionExistsError,
    CollectionNotFoundError,
    ConflictError,
    DuplicateSupportError,
    EncoderMismatchError,
    IdempotencyConflictError,
    InvalidKeyError,
    InvalidNameError,
    InvalidOptionError,
    LabelConflictError,
    NotFoundError,
    SupportNotFoundError,
    VectorError,
)
from imprint.store import open_store
from imprint.store.ports import GenerationRow
from imprint.store.sealing.masters.local import LocalMasterKey
from store.samples import (
    DIM,
    ENCODER,
    NOW,
    add,
    content,
    make,
    new_answer,
    new_collection,
    new_support,
    remove,
    vector,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imprint.store.ports import Store, TenantStore


@pytest.fixture(params=["sqlite file", "sqlite memory", "sqlite file, encrypted"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    folder = None if request.param == "sqlite memory" else tmp_path / "w"
    masters = [LocalMasterKey(bytes(32))] if "encrypted" in request.param else []
    opened = open_store(folder, answer_cap=5, master_keys=masters)
    yield opened
    opened.close()


@pytest.fixture
def tenant(store: Store) -> TenantStore:
    return store.tenant("acme")


@pytest.fixture
def pets(tenant: TenantStore) -> str:
    return make(tenant)


def ids(tenant: TenantStore, collection_id: str) -> list[str]:
    return [change.support_id for change in tenant.changes(collection_id)]


def test_a_collection_comes_back_as_it_was_made(tenant: TenantStore) -> None:
    row = new_collection("Käse 🧀", policy={"a": [1, {"b": None}], "c": "é"})
    with tenant.transaction("create", actor="ann", now=NOW) as transaction:
        transaction.create_collection(row)
    assert tenant.collection("Käse 🧀") == row
    assert tenant.collections() == [row]


def test_collections_are_listed_by_name(tenant: TenantStore) -> None:
    for name in ("b", "c", "a"):
        make(tenant, name)
    assert [row.name for row in tenant.collections()] == ["a", "b", "c"]


def test_a_name_can_be_taken_once_per_tenant(store: Store, tenant: TenantStore, pets: str) -> None:
    with pytest.raises(CollectionExistsError):
        make(tenant, collection_id="another id")
    make(store.tenant("globex"))
    assert pets == tenant.collection("pets").collection_id


def test_what_does_not_exist_is_said_to_be_missing(tenant: TenantStore, pets: str) -> None:
    with pytest.raises(CollectionNotFoundError):
        tenant.collection("cars")
    for ask in (tenant.sequence, tenant.changes, tenant.supports, tenant.feedback):
        with pytest.raises(CollectionNotFoundError):
            ask("cars")
    with pytest.raises(CollectionNotFoundError):
        add(tenant, "cars", new_support(1))
    with pytest.raises(SupportNotFoundError):
        tenant.support(pets, "nobody")
    with pytest.raises(SupportNotFoundError):
        tenant.raw(pets, "nobody")
    with pytest.raises(SupportNotFoundError):
        tenant.supports(pets, after="nobody")


def test_a_tenant_who_wrote_nothing_has_nothing(store: Store) -> None:
    empty = store.tenant("empty")
    assert empty.collections() == []
    assert empty.audit() == []
    assert empty.recall_request("k") is None


def test_a_support_comes_back_with_provenance(tenant: TenantStore, pets: str) -> None:
    new = new_support(1, metadata={"lang": "de", "n": 3})
    assert add(tenant, pets, new) == [1]
    support = tenant.support(pets, "s1")
    assert (support.label, support.state, support.sequence) == ("cat", "active", 1)
    assert (support.taught_at, support.taught_by, support.origin) == (NOW, "ann", "test")
    assert (support.media_type, support.size_bytes) == ("text/plain", 20)
    assert support.metadata == {"lang": "de", "n": 3}
    assert support.encoder_version == ENCODER
    assert tenant.find_content(pets, new.content_hash) == support
    assert tenant.find_content(pets, "other") is None


def test_raw_bytes_come_back_whatever_their_size(tenant: TenantStore, pets: str) -> None:
    sizes = {1: 0, 2: 1, 3: 64 * 1024, 4: 64 * 1024 + 1, 5: 300_000}
    add(tenant, pets, *(new_support(number, size=size) for number, size in sizes.items()))
    for number, size in sizes.items():
        raw = tenant.raw(pets, f"s{number}")
        assert raw is not None
        assert raw.content == content(number, size)
        assert raw.media_type == "text/plain"


def test_embedding_only_supports_have_no_raw_bytes(tenant: TenantStore, pets: str) -> None:
    add(tenant, pets, new_support(1, raw=None))
    assert tenant.raw(pets, "s1") is None
    assert tenant.support(pets, "s1").size_bytes == 0


def test_vectors_come_back_bit_for_bit(tenant: TenantStore, pets: str) -> None:
    add(tenant, pets, *(new_support(number) for number in range(50)))
    for number, change in enumerate(tenant.changes(pets)):
        assert change.vector.dtype == np.float32
        assert change.vector.tobytes() == vector(number).tobytes()


def test_each_support_gets_the_next_sequence(tenant: TenantStore, pets: str) -> None:
    assert add(tenant, pets, new_support(1), new_support(2)) == [1, 2]
    assert add(tenant, pets, new_support(3)) == [3]
    assert tenant.sequence(pets) == 3
    assert [change.sequence for change in tenant.changes(pets)] == [1, 2, 3]


def test_sequences_of_two_collections_are_apart(tenant: TenantStore, pets: str) -> None:
    cars = make(tenant, "cars")
    add(tenant, pets, new_support(1))
    assert add(tenant, cars, new_support(1)) == [1]


def test_teaching_nothing_changes_nothing(tenant: TenantStore, pets: str) -> None:
    assert add(tenant, pets) == []
    assert remove(tenant, pets) == 0
    assert tenant.sequence(pets) == 0


def test_a_policy_is_replaced_and_counted(tenant: TenantStore, pets: str) -> None:
    with tenant.transaction("policy", actor="ann", now=NOW) as transaction:
        assert transaction.update_policy(pets, {"k": 3}) == 1
    assert tenant.collection("pets").policy == {"k": 3}
    assert tenant.sequence(pets) == 1


def test_changes_after_a_sequence_tell_what_was_added_and_removed(
    tenant: TenantStore, pets: str
) -> None:
    add(tenant, pets, new_support(1), new_support(2), new_support(3))
    assert remove(tenant, pets, "s2") == 4
    add(tenant, pets, new_support(4))
    assert ids(tenant, pets) == ["s1", "s3", "s4"]
    later = tenant.changes(pets, after=3)
    assert [(c.support_id, c.removed, c.sequence) for c in later] == [
        ("s2", True, 4),
        ("s4", False, 5),
    ]
    assert tenant.changes(pets, after=5) == []


def test_a_negative_has_no_label(tenant: TenantStore, pets: str) -> None:
    add(tenant, pets, new_support(1, label=None))
    assert tenant.changes(pets)[0].label is None
    assert tenant.support(pets, "s1").label is None


def test_any_earlier_state_can_be_had_again(tenant: TenantStore, pets: str) -> None:
    add(tenant, pets, new_support(1), new_support(2))
    remove(tenant, pets, "s1")
    add(tenant, pets, new_support(1, support_id="again"))
    then = {n: [c.support_id for c in tenant.as_of(pets, n)] for n in range(6)}
    assert then == {
        0: [],
        1: ["s1"],
        2: ["s1", "s2"],
        3: ["s2"],
        4: ["s2", "again"],
        5: ["s2", "again"],
    }
    assert not any(change.removed for change in tenant.as_of(pets, 2))
    assert tenant.as_of(pets, 1)[0].vector.tobytes() == vector(1).tobytes()


def test_what_was_forgotten_can_be_read_no_more(tenant: TenantStore, pets: str) -> None:
    add(tenant, pets, new_support(1))
    remove(tenant, pets, "s1")
    for ask in (tenant.support, tenant.raw):
        with pytest.raises(SupportNotFoundError):
            ask(pets, "s1")
    with pytest.raises(SupportNotFoundError):
        remove(tenant, pets, "s1")
    assert tenant.supports(pets) == []


def test_removing_one_unknown_support_removes_none(tenant: TenantStore, pets: str) -> None:
    add(tenant, pets, new_support(1))
    with pytest.raises(SupportNotFoundError):
        remove(tenant, pets, "s1", "nobody")
    assert ids(tenant, pets) == ["s1"]
    assert tenant.sequence(pets) == 1


def test_naming_a_support_twice_removes_it_once(tenant: TenantStore, pets: str) -> None:
    add(tenant, pets, new_support(1))
    assert remove(tenant, pets, "s1", "s1") == 2


@pytest.mark.parametrize("forgotten_before", [False, True])
def test_what_was_erased_is_in_no_state(
    tenant: TenantStore, pets: str, *, forgotten_before: bool
) -> None:
    add(tenant, pets, new_support(1, metadata={"who": "bob"}), new_support(2, size=200_000))
    if forgotten_before:
        remove(tenant, pets, "s1", "s2")
    sequence = remove(tenant, pets, "s1", "s2", erase=True)
    assert all(tenant.as_of(pets, n) == [] for n in range(sequence + 1))
    gone = tenant.changes(pets, after=2)
    assert [(c.support_id, c.removed, c.sequence) for c in gone] == [
        ("s1", True, sequence),
        ("s2", True, sequence),
    ]
    assert all(not change.vector.any() and change.content_hash == "" for change in gone)
    with pytest.raises(SupportNotFoundError):
        remove(tenant, pets, "s1", erase=True)


def test_the_same_sample_twice_names_the_first(tenant: TenantStore, pets: str) -> None:
    add(tenant, pets, new_support(1))
    with pytest.raises(DuplicateSupportError) as caught:
        add(tenant, pets, new_support(1, support_id="other"))
    assert caught.value.support_id == "s1"
    with pytest.raises(LabelConflictError):
        add(tenant, pets, new_support(1, label="dog", support_id="other"))
    assert tenant.sequence(pets) == 1


def test_the_same_sample_twice_in_one_write_is_found(tenant: TenantStore, pets: str) -> None:
    with pytest.raises(DuplicateSupportError):
        add(tenant, pets, new_support(1), new_support(1, support_id="other"))
    with pytest.raises(LabelConflictError):
        add(tenant, pets, new_support(1), new_support(1, label="dog", support_id="other"))
    with pytest.raises(ConflictError):
        add(tenant, pets, new_support(1), new_support(2, support_id="s1"))
    assert tenant.changes(pets) == []


def test_no_error_shows_what_was_being_stored(tenant: TenantStore, pets: str) -> None:
    metadata = {"note": "the marker"}
    add(tenant, pets, new_support(1, metadata=metadata))
    with pytest.raises(DuplicateSupportError) as caught:
        add(tenant, pets, new_support(1, metadata=metadata), new_support(2, metadata=metadata))
    assert "the marker" not in "".join(traceback.format_exception(caught.value))


def test_a_conflict_caught_inside_a_transaction_leaves_nothing_of_that_call(
    tenant: TenantStore, pets: str
) -> None:
    add(tenant, pets, new_support(1))
    with tenant.transaction("teach", actor="ann", now=NOW) as transaction:
        with pytest.raises(DuplicateSupportError):
            transaction.add_supports(
                pets, [new_support(2), new_support(3, size=90_000), new_support(1)]
            )
        assert transaction.add_supports(pets, [new_support(4)]) == [2]
    assert ids(tenant, pets) == ["s1", "s4"]


def test_a_forgotten_sample_can_be_taught_again(tenant: TenantStore, pets: str) -> None:
    add(tenant, pets, new_support(1))
    remove(tenant, pets, "s1")
    add(tenant, pets, new_support(1, label="dog", support_id="other"))
    assert ids(tenant, pets) == ["other"]


def test_embeddings_of_another_encoder_never_come_in(tenant: TenantStore, pets: str) -> None:
    with pytest.raises(EncoderMismatchError):
        add(tenant, pets, new_support(1, encoder_version="toy@2"))
    with pytest.raises(EncoderMismatchError):
        add(tenant, pets, new_support(1), new_support(2, vector=vector(2, DIM + 1)))
    with pytest.raises(VectorError):
        add(tenant, pets, new_support(1, vector=np.full(DIM, np.nan, dtype=np.float32)))
    with pytest.raises(EncoderMismatchError), tenant.transaction("g", actor="a", now=NOW) as writer:
        writer.put_generation(pets, GenerationRow(1, "toy@2", 0, {}, NOW))
    assert tenant.sequence(pets) == 0


def test_a_transaction_that_raises_leaves_nothing(tenant: TenantStore, pets: str) -> None:
    audited = len(tenant.audit())

    def teach_and_stumble() -> None:
        with tenant.transaction("teach", actor="ann", now=NOW) as transaction:
            transaction.add_supports(pets, [new_support(1), new_support(2, size=100_000)])
            transaction.remember_request("k", "f", {})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        teach_and_stumble()
    assert tenant.changes(pets) == []
    assert tenant.sequence(pets) == 0
    assert tenant.recall_request("k") is None
    assert len(tenant.audit()) == audited


def test_a_new_tenants_first_transaction_may_fail(store: Store) -> None:
    tenant = store.tenant("late")
    with pytest.raises(CollectionNotFoundError):
        add(tenant, "nothing", new_support(1))
    add(tenant, make(tenant), new_support(1))
    assert len(tenant.audit()) == 2


def test_supports_are_paged_in_teaching_order(tenant: TenantStore, pets: str) -> None:
    labels = {number: "cat" if number % 3 else "dog" for number in range(1, 11)}
    add(tenant, pets, *(new_support(number, label) for number, label in labels.items()))
    add(tenant, pets, new_support(11, "dog", state="quarantined"))
    remove(tenant, pets, "s4")
    seen, after = [], None
    while page := tenant.supports(pets, limit=4, after=after):
        seen += [support.support_id for support in page]
        after = seen[-1]
    assert seen == [f"s{n}" for n in range(1, 12) if n != 4]
    dogs = tenant.supports(pets, label="dog")
    assert [support.support_id for support in dogs] == ["s3", "s6", "s9", "s11"]
    assert len(tenant.supports(pets, state="quarantined")) == 1
    assert len(tenant.supports(pets, label="dog", state="active")) == 3
    assert tenant.supports(pets, after="s4", limit=1)[0].support_id == "s5"


def test_generations_are_kept_and_never_replaced(tenant: TenantStore, pets: str) -> None:
    assert tenant.generation(pets) is None
    rows = [GenerationRow(n, ENCODER, n * 10, {"scale": n / 3}, NOW) for n in (1, 2)]
    for row in rows:
        with tenant.transaction("fit", actor="ann", now=NOW) as transaction:
            transaction.put_generation(pets, row)
    assert tenant.generation(pets) == rows[1]
    assert tenant.generation(pets, 1) == rows[0]
    assert tenant.generation(pets, 7) is None
    with pytest.raises(ConflictError), tenant.transaction("fit", actor="a", now=NOW) as writer:
        writer.put_generation(pets, rows[0])


def test_the_prediction_log_keeps_the_newest(tenant: TenantStore, pets: str) -> None:
    rows = [new_answer(number, pets) for number in range(8)]
    tenant.log_answers(rows[:3])
    tenant.log_answers(iter(rows[3:]))
    tenant.log_answers([])
    found = tenant.answer("a7")
    assert found.vector.tobytes() == vector(7).tobytes()
    blank = np.empty(0, dtype=np.float32)
    assert repr(replace(found, vector=blank)) == repr(replace(rows[7], vector=blank))
    assert (found.confidence, found.detail) == (0.1 + 0.2, {"candidates": [["cat", 0.9]]})
    assert tenant.answer("a3").answer_id == "a3"
    for old in ("a0", "a1", "a2", "never"):
        with pytest.raises(AnswerNotFoundError):
            tenant.answer(old)


def test_feedback_comes_back_oldest_first(tenant: TenantStore, pets: str) -> None:
    tenant.log_answers([new_answer(1, pets), new_answer(2, pets)])
    later = NOW + timedelta(seconds=5)
    with tenant.transaction("feedback", actor="ann", now=NOW) as transaction:
        transaction.put_feedback("a2", "dog", NOW)
        transaction.put_feedback("a1", None, later)
    assert tenant.feedback(pets) == [("a2", "dog", NOW), ("a1", None, later)]
    with pytest.raises(AnswerNotFoundError), tenant.transaction("f", actor="a", now=NOW) as writer:
        writer.put_feedback("nothing", "dog", NOW)


def test_an_idempotency_key_recalls_its_outcome(tenant: TenantStore, pets: str) -> None:
    with tenant.transaction("teach", actor="ann", now=NOW) as transaction:
        transaction.add_supports(pets, [new_support(1)])
        transaction.remember_request("k", "print", {"support_id": "s1"})
    assert tenant.recall_request("k") == ("print", {"support_id": "s1"})
    for fingerprint in ("print", "other"):
        with (
            pytest.raises(IdempotencyConflictError),
            tenant.transaction("teach", actor="ann", now=NOW) as transaction,
        ):
            transaction.remember_request("k", fingerprint, {})
    with tenant.transaction("teach", actor="ann", now=NOW + timedelta(days=8)) as transaction:
        transaction.remember_request("k2", "print", {})
    assert tenant.recall_request("k") is None


def test_every_transaction_leaves_one_audit_row(tenant: TenantStore, pets: str) -> None:
    detail = {"n": 1}
    with tenant.transaction(
        "teach", actor="bob", now=NOW, collection="pets", detail=detail
    ) as transaction:
        detail["sequence"] = transaction.add_supports(pets, [new_support(1)])[0]
    made, taught = tenant.audit()
    assert (made.verb, taught.verb, taught.actor, taught.collection) == (
        "create",
        "teach",
        "bob",
        "pets",
    )
    assert (taught.at, taught.detail) == (NOW, {"n": 1, "sequence": 1})
    assert tenant.audit(after=made.audit_id) == [taught]
    assert tenant.audit(limit=1) == [made]


def test_a_dropped_collection_takes_everything_along(tenant: TenantStore, pets: str) -> None:
    add(tenant, pets, new_support(1), new_support(2, size=100_000))
    tenant.log_answers([new_answer(1, pets)])
    with tenant.transaction("feedback", actor="ann", now=NOW) as transaction:
        transaction.put_feedback("a1", "dog", NOW)
        transaction.put_generation(pets, GenerationRow(1, ENCODER, 2, {}, NOW))
    with tenant.transaction("drop", actor="ann", now=NOW) as transaction:
        transaction.drop_collection(pets)
    assert tenant.collections() == []
    with pytest.raises(CollectionNotFoundError):
        tenant.changes(pets)
    with pytest.raises(AnswerNotFoundError):
        tenant.answer("a1")
    add(tenant, make(tenant), new_support(3))
    assert ids(tenant, pets) == ["s3"]
    assert tenant.feedback(pets) == []


def test_one_tenant_cannot_reach_anothers_rows(
    store: Store, tenant: TenantStore, pets: str
) -> None:
    add(tenant, pets, new_support(1))
    tenant.log_answers([new_answer(1, pets)])
    with tenant.transaction("teach", actor="ann", now=NOW) as transaction:
        transaction.remember_request("k", "f", {})
    other = store.tenant("globex")
    make(other, "cars")
    for ask in (other.sequence, other.changes, other.supports, other.feedback, other.generation):
        with pytest.raises(CollectionNotFoundError):
            ask(pets)
    with pytest.raises(CollectionNotFoundError):
        add(other, pets, new_support(2))
    with pytest.raises(CollectionNotFoundError):
        remove(other, pets, "s1")
    with pytest.raises(CollectionNotFoundError):
        other.log_answers([new_answer(2, pets)])
    with pytest.raises(AnswerNotFoundError):
        other.answer("a1")
    assert other.recall_request("k") is None
    assert [row.verb for row in other.audit()] == ["create"]
    assert ids(tenant, pets) == ["s1"]


def test_a_key_opens_until_it_expires_or_is_revoked(store: Store) -> None:
    day = timedelta(days=1)
    row, secret = store.create_key("acme", "ci", ["teach", "classify"], now=NOW)
    short, short_secret = store.create_key("acme", "x", [], now=NOW + day, expires_at=NOW + 2 * day)
    assert secret.startswith(f"imp_{row.key_id}_")
    assert store.key(secret, now=NOW) == row
    assert (row.tenant, row.name, row.scopes) == ("acme", "ci", ("teach", "classify"))
    assert store.keys() == [short, row]
    assert store.key(short_secret, now=NOW + day) == short
    with pytest.raises(InvalidKeyError):
        store.key(short_secret, now=NOW + 2 * day)
    store.revoke_key(row.key_id, now=NOW + day)
    with pytest.raises(InvalidKeyError):
        store.key(secret, now=NOW + day)
    store.revoke_key(row.key_id, now=NOW + 2 * day)
    assert store.keys()[1].revoked_at == NOW + day
    assert [row.verb for row in store.tenant("acme").audit()].count("revoke_key") == 2
    with pytest.raises(NotFoundError):
        store.revoke_key("unknown", now=NOW)


@pytest.mark.parametrize(
    "secret", ["", "imp", "imp_", "imp__", "imp_x_y", "🔑", "imp_" + "a" * 5000]
)
def test_a_malformed_key_is_refused_like_any_other(store: Store, secret: str) -> None:
    store.create_key("acme", "ci", [], now=NOW)
    with pytest.raises(InvalidKeyError):
        store.key(secret, now=NOW)


def test_a_key_with_one_letter_changed_is_refused(store: Store) -> None:
    _, secret = store.create_key("acme", "ci", [], now=NOW)
    with pytest.raises(InvalidKeyError):
        store.key(secret[:-1] + ("0" if secret[-1] != "0" else "1"), now=NOW)


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 201])
def test_a_tenant_needs_a_printable_name(store: Store, name: str) -> None:
    with pytest.raises(InvalidNameError):
        store.tenant(name)


def test_a_whole_workspace_has_no_problems(store: Store, tenant: TenantStore, pets: str) -> None:
    add(tenant, pets, new_support(1), new_support(2, size=100_000))
    remove(tenant, pets, "s1")
    report = store.check()
    assert report["ok"], report["problems"]
    assert (report["n_supports"], report["n_forgotten"]) == (1, 1)


def test_transactions_do_not_nest(tenant: TenantStore, pets: str) -> None:
    with tenant.transaction("teach", actor="ann", now=NOW) as transaction:
        transaction.add_supports(pets, [new_support(1)])
        with pytest.raises(InvalidOptionError):
            make(tenant, "cars")
    assert ids(tenant, pets) == ["s1"]


def test_a_closed_store_answers_no_more(store: Store, tenant: TenantStore, pets: str) -> None:
    store.close()
    store.close()
    with pytest.raises(InvalidOptionError):
        tenant.sequence(pets)
    with pytest.raises(InvalidOptionError):
        add(tenant, pets, new_support(1))


def test_threads_write_and_read_at_once(store: Store, tenant: TenantStore, pets: str) -> None:
    n_threads, n_each = 4, 25
    failures: list[BaseException] = []

    def work(number: int) -> None:
        mine = store.tenant("acme")
        try:
            for step in range(n_each):
                add(mine, pets, new_support(number * 1000 + step))
                assert len(mine.changes(pets)) <= mine.sequence(pets)
        except BaseException as failure:  # noqa: BLE001 - shown by the main thread
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    changes = tenant.changes(pets)
    assert [change.sequence for change in changes] == list(range(1, n_threads * n_each + 1))
    assert {c.support_id for c in changes} == {
        f"s{n * 1000 + step}" for n in range(n_threads) for step in range(n_each)
    }
