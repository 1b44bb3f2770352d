"""Poisoning: attacks taught through the front door, one by one and in a row, and what they did."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from imprint.errors import ImprintError, InvalidOptionError, NotFoundError
from imprint.flows.judging.attacked import Material
from imprint.intake.decode import to_sample
from imprint.measure.attacks.makers import ATTACKS, near_copy
from imprint.measure.attacks.outcome import GenuineRow, PoisoningReport, Share, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from imprint.flows.collection import Collection
    from imprint.flows.workspace import Workspace
    from imprint.measure.attacks.scene import Attempt, Scene
    from imprint.settings import Settings
    from imprint.types import Sample

_GENUINE_EACH: Final = 3


@dataclass(frozen=True, slots=True)
class PoisoningPlan:
    """How much is tried.

    `n_way` classes are taught `n_shot` examples each (every number of `shots`), in `n_draws` draws.
    Each of `attacks` makes `n_attempts` single attempts in each draw, and in the first
    `n_harmed` draws `n_in_a_row` attempts one after the other.
    """

    n_way: int = 10
    shots: tuple[int, ...] = (1, 2, 5)
    n_draws: int = 8
    n_attempts: int = 10
    n_harmed: int = 2
    n_in_a_row: int = 50
    attacks: tuple[str, ...] = tuple(ATTACKS)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.attacks) - set(ATTACKS))
        if unknown:
            raise InvalidOptionError(
                f"there is no attack {unknown[0]!r}; there are {', '.join(ATTACKS)}"
            )
        numbers = (self.n_draws, self.n_attempts, self.n_in_a_row, *self.shots)
        if not self.shots or min(numbers) < 1 or self.n_harmed < 0:
            raise InvalidOptionError("shots, draws and attempts must be 1 or more")
        if self.n_way < 3:
            raise InvalidOptionError(f"n_way must be 3 or more, got {self.n_way}")

    @classmethod
    def quick(cls, **choices: Any) -> PoisoningPlan:
        """A first look in about a minute."""
        return cls(**{"shots": (1, 5), "n_draws": 3, "n_harmed": 1, **choices})


def poisoning(
    samples: Sequence[Any],
    labels: Sequence[str],
    plan: PoisoningPlan | None = None,
    *,
    encoder: Any = None,
    seed: int = 0,
    settings: Settings | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> PoisoningReport:
    """Attack collections made of labelled samples, and report what was found and what was lost.

    Every attempt is taught with `Collection.teach` to a collection in memory under the policy that
    collections have by default. Samples are embedded once.

    Args:
        samples: texts, paths, bytes or pixels; texts or pictures.
        labels: one each.
        plan: how much is tried.
        encoder: name, encoder or callable; None takes the default of the modality.
        seed: the same seed makes the same attacks.
        settings: where encoders are found; None reads the usual ones.
        progress: called with (stage, done, total).

    Raises:
        TooFewSupportsError: too few classes, or too few samples in them.
        InvalidOptionError: samples are vectors or recordings, which no attack is made for.
    """
    from imprint.flows.workspace import open_workspace

    began = perf_counter()
    chosen, tell = plan or PoisoningPlan(), progress or _silent
    with open_workspace(settings=settings, actor="bench", progress=progress) as workspace:
        material = Material.read(samples, labels, encoder, workspace, seed, tell)
        bench = _Bench(workspace, material, chosen, seed)
        for number in range(chosen.n_draws * len(chosen.shots)):
            n_shot, draw = chosen.shots[number % len(chosen.shots)], number // len(chosen.shots)
            bench.attack(n_shot, draw)
            tell("attacks", number + 1, chosen.n_draws * len(chosen.shots))
    genuine, attacks = bench.rows()
    return PoisoningReport(
        material.encoder.modality,
        material.encoder.version,
        len(material.classes),
        len(material.samples),
        bench.n_way,
        chosen.n_draws,
        seed,
        genuine,
        attacks,
        perf_counter() - began,
    )


@dataclass(slots=True)
class _Bench:
    """One run: teaches, counts, and puts the collection back after every attempt."""

    workspace: Workspace
    material: Material
    plan: PoisoningPlan
    seed: int
    genuine: dict[int, list[bool]] = field(default_factory=dict)
    tallies: dict[tuple[str, int], Tally] = field(default_factory=dict)

    @property
    def n_way(self) -> int:
        return min(self.plan.n_way, len(self.material.classes))

    def attack(self, n_shot: int, draw: int) -> None:
        """Teach one draw's collection and try everything on it."""
        rng = np.random.default_rng([self.seed, n_shot, draw])
        scene = self.material.scene(self.n_way, n_shot, rng)
        name = f"attacked-{n_shot}-{draw}"
        encoder = self.material.encoder
        collection = self.workspace.collection(name, modality=encoder.modality, encoder=encoder)
        self._teach(collection, scene)
        self._genuine(collection, scene, n_shot)
        for attack in self.plan.attacks:
            tally = self.tallies.setdefault((attack, n_shot), Tally(attack, n_shot))
            for attempt in ATTACKS[attack][0](scene, self.plan.n_attempts, rng):
                state, why = self._tried(collection, attempt.label, attempt.value)
                tally.attempted(state, why, effective=attempt.effective)
        if draw < self.plan.n_harmed:
            self._harm(collection, scene, n_shot, rng)
        self.workspace.drop(name)

    def rows(self) -> tuple[tuple[GenuineRow, ...], tuple[Any, ...]]:
        """Sum everything up."""
        genuine = []
        for n_shot, held in sorted(self.genuine.items()):
            share = Share.of(sum(held), len(held))
            genuine.append(GenuineRow(n_shot, len(held), sum(held), share))
        rates = {row.n_shot: row.false_quarantine_rate.mean for row in genuine}
        order = [(attack, n_shot) for attack in self.plan.attacks for n_shot in rates]
        found = [self.tallies[key] for key in order if key in self.tallies]
        return tuple(genuine), tuple(tally.row(rates[tally.n_shot]) for tally in found)

    def _teach(self, collection: Collection, scene: Scene) -> None:
        """What is there before: genuine, and released by its owner where a check held it."""
        pairs = [
            (label, self.material.samples[row])
            for label, rows in zip(scene.labels, scene.taught, strict=True)
            for row in rows.tolist()
        ]
        for outcome in collection.teach_many(pairs):
            if not isinstance(outcome, ImprintError) and outcome.state == "quarantined":
                collection.release(outcome.support_id)

    def _genuine(self, collection: Collection, scene: Scene, n_shot: int) -> None:
        held = self.genuine.setdefault(n_shot, [])
        for label, rows in zip(scene.labels, scene.spare, strict=True):
            for row in rows[:_GENUINE_EACH].tolist():
                state, _ = self._tried(collection, label, self.material.samples[row])
                held.append(state == "held")

    def _tried(self, collection: Collection, label: str, value: Any) -> tuple[str, tuple[str, ...]]:
        """Teach one example, say what became of it, and take it back."""
        try:
            receipt = collection.teach(label, value)
        except ImprintError as error:
            return "held", (error.code,)
        if receipt.checks and receipt.checks[0].hint.startswith("already taught"):
            return "passed", ()
        try:
            collection.forget(support_id=receipt.support_id)
        except NotFoundError:
            return "passed", ()
        if receipt.state == "quarantined":
            return "held", tuple(c.name for c in receipt.checks if c.verdict == "quarantine")
        warned = any(check.verdict == "warn" for check in receipt.checks)
        return ("warned" if warned else "passed"), ()

    def _harm(
        self, collection: Collection, scene: Scene, n_shot: int, rng: np.random.Generator
    ) -> None:
        """Many attempts in a row, what passes stays: what do the other classes lose?"""
        before = self._right(collection, scene)
        sequence = collection.sequence
        for attack in self.plan.attacks:
            tally = self.tallies[attack, n_shot]
            made = ATTACKS[attack][0](scene, self.plan.n_in_a_row, rng)
            attempts = list(_repeated(made, self.plan.n_in_a_row, rng))
            for _ in collection.teach_many(
                ((one.label, self._decoded(one.value)) for one in attempts), batch=1
            ):
                pass
            others = _others(scene, attempts)
            after = self._right(collection, scene)
            tally.n_in_a_row = len(attempts)
            tally.lost.append(100 * float(before[others].mean() - after[others].mean()))
            collection.revert(sequence)

    def _right(self, collection: Collection, scene: Scene) -> Any:
        rows = np.concatenate(scene.asked)
        truth = [label for label, r in zip(scene.labels, scene.asked, strict=True) for _ in r]
        answers = collection.classify_many([self.material.samples[row] for row in rows.tolist()])
        return np.array(
            [
                not isinstance(answer, ImprintError) and answer.candidates[0].label == label
                for answer, label in zip(answers, truth, strict=True)
            ]
        )

    def _decoded(self, value: Any) -> Sample:
        return to_sample(value, self.material.encoder.modality)


def _repeated(made: Sequence[Attempt], n: int, rng: np.random.Generator) -> Iterable[Attempt]:
    """So many attempts: those that were made, then near copies of them."""
    for number in range(n if made else 0):
        one = made[number % len(made)]
        fresh = number < len(made)
        yield one if fresh else one._replace(value=near_copy(one.value, rng))


def _others(scene: Scene, attempts: Sequence[Attempt]) -> Any:
    """Which queries are of classes other than the one label all attempts name, if they do."""
    named = {attempt.label for attempt in attempts}
    own = [label for label, rows in zip(scene.labels, scene.asked, strict=True) for _ in rows]
    return np.array([len(named) != 1 or label not in named for label in own])


def _silent(stage: str, done: int, total: int) -> None:
    del stage, done, total
