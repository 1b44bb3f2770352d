"""Random operations by three tenants, compared step by step with a plain-Python model."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from imprint.errors import (
    CollectionNotFoundError,
    DuplicateSupportError,
    LabelConflictError,
    SupportNotFoundError,
)
from imprint.store import open_store
from imprint.store.sealing.masters.local import LocalMasterKey
from store.samples import NOW, add, content, make, new_support, remove, vector

QUICK = Path("/dev/shm")  # a disk that flushes at once, where there is one
TENANTS = ("acme", "globex", "initech")
NAMES = ("pets", "cars")
PLACES = st.sampled_from([(tenant, name) for tenant in TENANTS for name in NAMES])
NUMBERS = st.integers(0, 7)
LABELS = st.sampled_from(["cat", "dog", None])
SIZES = (20, 70_000, 500)  # a sample's size follows from its number


@dataclass
class ModelSupport:
    support_id: str
    number: int
    label: str | None
    added: int
    removed: int | None = None
    changed: int = 0
    erased: bool = False


@dataclass
class ModelCollection:
    sequence: int = 0
    supports: dict[str, ModelSupport] = field(default_factory=dict)

    def live(self) -> list[ModelSupport]:
        return [support for support in self.supports.values() if support.removed is None]


class StoreMachine(RuleBasedStateMachine):
    """Three tenants use the same names and samples, so that any leak shows."""

    in_memory = False
    masters: ClassVar[list[LocalMasterKey]] = []

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=QUICK if QUICK.is_dir() else None))
        self.store = open_store(
            None if self.in_memory else self.folder / "w", master_keys=self.masters
        )
        self.model: dict[tuple[str, str], ModelCollection] = {}
        self.n_taught = 0

    def teardown(self) -> None:
        report = self.store.check()
        assert report["ok"], report["problems"]
        assert report.get("n_orphans", 0) == 0
        trail = self.store.trail.verify()
        assert trail.ok, trail.problems
        self.store.close()
        shutil.rmtree(self.folder)

    @rule(place=PLACES)
    def create(self, place: tuple[str, str]) -> None:
        if place not in self.model:
            make(self.store.tenant(place[0]), place[1])
            self.model[place] = ModelCollection()

    @rule(place=PLACES)
    def drop(self, place: tuple[str, str]) -> None:
        tenant = self.store.tenant(place[0])
        if place not in self.model:
            with pytest.raises(CollectionNotFoundError):
                tenant.collection(place[1])
            return
        with tenant.transaction("drop", actor="ann", now=NOW) as transaction:
            transaction.drop_collection(f"id of {place[1]}")
        del self.model[place]

    @precondition(lambda self: self.model)
    @rule(place=PLACES, numbers=st.lists(NUMBERS, min_size=1, max_size=4), label=LABELS)
    def teach(self, place: tuple[str, str], numbers: list[int], label: str | None) -> None:
        if place not in self.model:
            return
        collection = self.model[place]
        new = []
        for number in numbers:
            self.n_taught += 1
            new.append(
                new_support(number, label, SIZES[number % 3], support_id=f"n{self.n_taught}")
            )
        known = {support.number: support for support in collection.live()}
        first: dict[int, str] = {}
        expected: type[Exception] | None = None
        for number, support in zip(numbers, new, strict=True):
            if number in known or number in first:
                same = number in first or known[number].label == label
                expected = DuplicateSupportError if same else LabelConflictError
                break
            first[number] = support.support_id
        tenant, collection_id = self.store.tenant(place[0]), f"id of {place[1]}"
        if expected is not None:
            with pytest.raises(expected):
                add(tenant, collection_id, *new)
            return
        sequences = add(tenant, collection_id, *new)
        assert sequences == [collection.sequence + n + 1 for n in range(len(new))]
        for number, support, sequence in zip(numbers, new, sequences, strict=True):
            collection.supports[support.support_id] = ModelSupport(
                support.support_id, number, label, sequence, None, sequence
            )
        collection.sequence = sequences[-1]

    @precondition(lambda self: any(collection.supports for collection in self.model.values()))
    @rule(choice=st.randoms(use_true_random=False), erase=st.booleans(), size=st.integers(1, 3))
    def forget(self, choice: object, size: int, *, erase: bool) -> None:
        place = choice.choice(sorted(p for p, c in self.model.items() if c.supports))  # type: ignore[attr-defined]
        collection = self.model[place]
        every = sorted(collection.supports)
        chosen = [collection.supports[choice.choice(every)] for _ in range(size)]  # type: ignore[attr-defined]
        allowed = all(s.removed is None or (erase and not s.erased) for s in chosen)
        tenant, collection_id = self.store.tenant(place[0]), f"id of {place[1]}"
        ids = [support.support_id for support in chosen]
        if not allowed:
            with pytest.raises(SupportNotFoundError):
                remove(tenant, collection_id, *ids, erase=erase)
            return
        collection.sequence += 1
        assert remove(tenant, collection_id, *ids, erase=erase) == collection.sequence
        for support in chosen:
            support.removed = support.removed or collection.sequence
            support.changed = collection.sequence
            support.erased = support.erased or erase

    @rule()
    def reopen(self) -> None:
        if not self.in_memory:
            self.store.close()
            self.store = open_store(self.folder / "w", master_keys=self.masters)

    @precondition(lambda self: self.model)
    @rule(choice=st.randoms(use_true_random=False))
    def look_back(self, choice: object) -> None:
        place = choice.choice(sorted(self.model))  # type: ignore[attr-defined]
        collection = self.model[place]
        tenant, collection_id = self.store.tenant(place[0]), f"id of {place[1]}"
        then = choice.randint(0, collection.sequence)  # type: ignore[attr-defined]
        live = [
            support.support_id
            for support in collection.supports.values()
            if support.added <= then
            and (support.removed is None or support.removed > then)
            and not support.erased
        ]
        assert [c.support_id for c in tenant.as_of(collection_id, then)] == live
        if then:
            touched = {
                s.support_id: (s.changed, s.removed is not None)
                for s in collection.supports.values()
                if s.changed > then
            }
            changes = tenant.changes(collection_id, then)
            assert {c.support_id: (c.sequence, c.removed) for c in changes} == touched

    @invariant()
    def everything_is_as_the_model_says(self) -> None:
        for name in TENANTS:
            tenant = self.store.tenant(name)
            mine = {place[1]: c for place, c in self.model.items() if place[0] == name}
            assert [row.name for row in tenant.collections()] == sorted(mine)
            for collection_name, collection in mine.items():
                collection_id = f"id of {collection_name}"
                assert tenant.sequence(collection_id) == collection.sequence
                changes = tenant.changes(collection_id)
                assert [(c.support_id, c.label, c.sequence) for c in changes] == [
                    (s.support_id, s.label, s.added) for s in collection.live()
                ]
                for change, support in zip(changes, collection.live(), strict=True):
                    assert change.vector.tobytes() == vector(support.number).tobytes()
                    raw = tenant.raw(collection_id, support.support_id)
                    assert raw is not None
                    assert raw.content == content(support.number, SIZES[support.number % 3])


class MemoryMachine(StoreMachine):
    """The same in memory."""

    in_memory = True


class SealedMachine(StoreMachine):
    """The same with every row and file sealed."""

    masters: ClassVar[list[LocalMasterKey]] = [LocalMasterKey(bytes(32))]


CALM = settings(
    max_examples=12,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestFile = StoreMachine.TestCase
TestFile.settings = CALM
TestMemory = MemoryMachine.TestCase
TestMemory.settings = CALM
TestSealed = SealedMachine.TestCase
TestSealed.settings = CALM
