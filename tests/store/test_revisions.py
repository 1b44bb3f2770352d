"""Supports change label and state, go and come back; what they were stays on record."""

from __future__ import annotations

from datetime import timedelta

import pytest

from imprint import errors
from imprint.store import open_store
from imprint.store.ports import Revision
from store.samples import NOW, make, new_support

PLACE = "id of pets"


@pytest.fixture
def tenant():
    store = open_store(None)
    made = store.tenant("shop")
    make(made)
    yield made
    store.close()


def write(tenant, verb, *arguments, **options):
    with tenant.transaction(verb, actor="t", now=NOW + timedelta(days=1)) as writing:
        return getattr(writing, verb)(PLACE, *arguments, **options)


def seen(changes):
    return {one.support_id: (one.label, one.state) for one in changes}


def test_a_revision_changes_label_and_state_and_the_past_stays_as_it_was(tenant):
    write(tenant, "add_supports", [new_support(1, label="cat"), new_support(2, label="cat")])
    first, second = (one.support_id for one in tenant.changes(PLACE))
    before = tenant.sequence(PLACE)
    after = write(tenant, "revise_supports", [Revision(first, "dog", "quarantined")])
    assert after == before + 1 == tenant.sequence(PLACE)
    assert seen(tenant.changes(PLACE)) == {
        first: ("dog", "quarantined"),
        second: ("cat", "active"),
    }
    assert seen(tenant.as_of(PLACE, before))[first] == ("cat", "active")
    assert seen(tenant.as_of(PLACE, after))[first] == ("dog", "quarantined")
    (changed,) = tenant.changes(PLACE, before)
    assert (changed.support_id, changed.sequence) == (first, after)


def test_what_was_forgotten_comes_back_and_every_moment_can_be_told(tenant):
    write(tenant, "add_supports", [new_support(1, label="cat")])
    (only,) = (one.support_id for one in tenant.changes(PLACE))
    write(tenant, "remove_supports", [only], erase=False)
    gone = tenant.sequence(PLACE)
    back = write(tenant, "revise_supports", [Revision(only, "cat", "active")])
    again = write(tenant, "revise_supports", [Revision(only, "cat", "active", removed=True)])
    assert [len(tenant.as_of(PLACE, at)) for at in range(1, again + 1)] == [1, 0, 1, 0]
    assert (gone, back) == (2, 3)
    assert tenant.changes(PLACE) == []


def test_what_was_erased_does_not_come_back(tenant):
    write(tenant, "add_supports", [new_support(1, label="cat")])
    (only,) = (one.support_id for one in tenant.changes(PLACE))
    write(tenant, "remove_supports", [only], erase=True)
    sequence = tenant.sequence(PLACE)
    with pytest.raises(errors.SupportNotFoundError):
        write(tenant, "revise_supports", [Revision(only, "cat", "active")])
    assert tenant.sequence(PLACE) == sequence


def test_a_sample_taught_again_meanwhile_keeps_its_place(tenant):
    write(tenant, "add_supports", [new_support(1, label="cat", content_hash="same")])
    (first,) = (one.support_id for one in tenant.changes(PLACE))
    write(tenant, "remove_supports", [first], erase=False)
    write(tenant, "add_supports", [new_support(2, label="dog", content_hash="same")])
    with pytest.raises(errors.LabelConflictError):
        write(tenant, "revise_supports", [Revision(first, "cat", "active")])
    assert [one.label for one in tenant.changes(PLACE)] == ["dog"]


def test_a_dropped_collection_takes_its_revisions_along(tenant):
    write(tenant, "add_supports", [new_support(1, label="cat")])
    (only,) = (one.support_id for one in tenant.changes(PLACE))
    write(tenant, "revise_supports", [Revision(only, "dog", "active")])
    write(tenant, "drop_collection")
    with pytest.raises(errors.CollectionNotFoundError):
        tenant.sequence(PLACE)
