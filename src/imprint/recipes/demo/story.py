"""Playing a scene on the public API: teach, ask, explain, admit a mistake, forget."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import imprint
    from imprint.recipes.demo.scenes import Query, Scene

    # Hears what is being done, how many steps are done, and of how many.
    Step = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One query with the answer it got."""

    query: Query = field(repr=False)
    answer: imprint.Answer

    @property
    def is_right(self) -> bool:
        """Recognized as its class; or, when it has none, answered "unknown"."""
        if self.query.label is None:
            return self.answer.decision == "unknown"
        return self.answer.label == self.query.label


@dataclass(frozen=True, slots=True)
class Told:
    """What happened in one scene. Ratios are shares of the queries they speak of."""

    scene: Scene
    exchanges: tuple[Exchange, ...] = field(repr=False)
    explained: tuple[Exchange, ...]
    mistake: Exchange | None
    forgotten: str
    before: Exchange
    after: Exchange
    encoder_version: str
    teach_ms: float
    classify_ms: float
    load_s: float
    taught: dict[str, str] = field(repr=False)  # support_id -> label

    @property
    def known(self) -> list[Exchange]:
        """Exchanges whose query belongs to a taught class."""
        return [e for e in self.exchanges if e.query.label is not None]

    @property
    def unknown(self) -> list[Exchange]:
        """Exchanges whose query belongs to none."""
        return [e for e in self.exchanges if e.query.label is None]

    @property
    def accuracy_ratio(self) -> float:
        """Known queries recognized as what they are."""
        return _share(e.is_right for e in self.known)

    @property
    def best_guess_ratio(self) -> float:
        """Known queries whose best candidate is right, refused or not."""
        return _share(e.answer.candidates[0].label == e.query.label for e in self.known)

    @property
    def refused_ratio(self) -> float:
        """Queries of no class that were answered "unknown"."""
        return _share(e.is_right for e in self.unknown)

    @property
    def false_accept_ratio(self) -> float:
        """Queries of no class that were given one; the rest was called ambiguous."""
        return _share(e.answer.label is not None for e in self.unknown)

    def to_json(self) -> dict[str, Any]:
        """Shape the outcome as a JSON object."""
        return {
            "collection": self.scene.name,
            "modality": self.scene.modality,
            "encoder_version": self.encoder_version,
            "n_classes": len(self.scene.examples),
            "n_known": len(self.known),
            "n_unknown": len(self.unknown),
            "accuracy_ratio": round(self.accuracy_ratio, 4),
            "best_guess_ratio": round(self.best_guess_ratio, 4),
            "refused_ratio": round(self.refused_ratio, 4),
            "false_accept_ratio": round(self.false_accept_ratio, 4),
            "teach_ms": round(self.teach_ms, 2),
            "classify_ms": round(self.classify_ms, 2),
            "explained": [_shaped(e) for e in self.explained],
            "mistake": None if self.mistake is None else _shaped(self.mistake),
            "forgotten": self.forgotten,
            "before": _shaped(self.before),
            "after": _shaped(self.after),
        }


def _share(right: Any) -> float:
    marks = [bool(one) for one in right]
    return sum(marks) / len(marks) if marks else 0.0


def _shaped(exchange: Exchange) -> dict[str, Any]:
    return {
        "query": exchange.query.caption,
        "truth": exchange.query.label,
        "answer": exchange.answer.to_json(),
    }


def tell(scene: Scene, workspace: imprint.Workspace, step: Step) -> Told:
    """Play one scene live: nothing is prepared but the examples and the queries.

    Raises:
        EncoderNotFoundError: the encoder of the scene's modality cannot be had here.
    """
    started = time.perf_counter()
    policy = {"false_accept_rate": scene.false_accept_rate}
    collection = workspace.collection(scene.name, modality=scene.modality, policy=policy)
    load_s = time.perf_counter() - started
    taught, teach_ms = _teach(collection, scene, step)
    exchanges, classify_ms = _ask(collection, scene, step)
    before = _clearest(exchanges)
    forgotten = str(before.query.label)
    collection.forget(label=forgotten)
    after = Exchange(before.query, collection.classify(before.query.source))
    return Told(
        scene=scene,
        exchanges=exchanges,
        explained=_explained(exchanges),
        mistake=_mistake(exchanges),
        forgotten=forgotten,
        before=before,
        after=after,
        encoder_version=collection.encoder_version,
        teach_ms=teach_ms,
        classify_ms=classify_ms,
        load_s=load_s,
        taught=taught,
    )


def _teach(
    collection: imprint.Collection, scene: Scene, step: Step
) -> tuple[dict[str, str], float]:
    taught: dict[str, str] = {}
    times_ms: list[float] = []
    for i, (label, source) in enumerate(scene.examples.items(), 1):
        started = time.perf_counter()
        receipt = collection.teach(label, source, origin="demo")
        times_ms.append(1000 * (time.perf_counter() - started))
        taught[receipt.support_id] = label
        step("teaching", i, len(scene.examples))
    return taught, statistics.median(times_ms)


def _ask(
    collection: imprint.Collection, scene: Scene, step: Step
) -> tuple[tuple[Exchange, ...], float]:
    exchanges: list[Exchange] = []
    times_ms: list[float] = []
    for i, query in enumerate(scene.queries, 1):
        started = time.perf_counter()
        answer = collection.classify(query.source)
        times_ms.append(1000 * (time.perf_counter() - started))
        exchanges.append(Exchange(query, answer))
        step("asking", i, len(scene.queries))
    return tuple(exchanges), statistics.median(times_ms)


def _clearest(exchanges: tuple[Exchange, ...]) -> Exchange:
    """Find the known query answered with most confidence, a right answer before a wrong one."""
    known = [e for e in exchanges if e.query.label is not None]
    return max(known, key=lambda e: (e.is_right, e.answer.confidence))


def _explained(exchanges: tuple[Exchange, ...]) -> tuple[Exchange, ...]:
    """Choose three right answers: the surest, the least sure, and a refusal that was near."""
    right = [e for e in exchanges if e.is_right]
    known = sorted(
        (e for e in right if e.query.label is not None), key=lambda e: e.answer.confidence
    )
    refused = sorted(
        (e for e in right if e.query.label is None),
        key=lambda e: e.answer.evidence[0].similarity,
    )
    chosen = [*known[-1:], *known[:1], *refused[-1:]]
    spare = [e for e in exchanges if e not in chosen]
    return tuple([*chosen, *spare][:3])


def _mistake(exchanges: tuple[Exchange, ...]) -> Exchange | None:
    """Find the worst mistake: a wrong class before a refusal, the surest first."""
    wrong = [e for e in exchanges if not e.is_right]
    return max(wrong, key=lambda e: (e.answer.label is not None, e.answer.confidence), default=None)
