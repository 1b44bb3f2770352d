"""More supports than were taught: generated ones, and unlabeled ones that label themselves."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imprint.cli.advise import unlabeled_items
from imprint.cli.session import verb
from imprint.cli.train.run import require_torch
from imprint.errors import EncoderMismatchError, ImprintError, TooFewSupportsError

if TYPE_CHECKING:
    from imprint import Collection
    from imprint.cli.session import Session
    from imprint.flows.teaching.generated import Taught
    from imprint.train.generative.extra import Extra
    from imprint.train.selftrain.evidence import Comparison
    from imprint.train.selftrain.plan import SelfTrainPlan


@verb("generate", short_help="Make extra supports for classes with few examples.")
@click.argument("collection")
@click.option("--from", "source", metavar="NAME", help="Collection to learn from [default: this].")
@click.option("--kind", type=click.Choice(("gaussian", "vae", "gan")), default="gaussian")
@click.option("--few", default=1, show_default=True, help="Classes with up to so many get more.")
@click.option("--each", default=5, show_default=True, help="How many to make of each support.")
@click.option("--seed", default=0, show_default=True)
@click.option("--dry-run", is_flag=True, help="Make and screen them, teach nothing.")
def generate_command(session: Session, **choices: Any) -> None:
    r"""Make extra supports for classes with few examples, learned from classes with several.

    Each is screened by the real supports and marked as generated: it moves its class and is never
    evidence. `imprint forget` takes them out again.

    \b
    Example:
      imprint train generate tickets --from old-tickets --dry-run
    """
    require_torch()
    with session.workspace(create=False) as workspace:
        collection = workspace.collection(choices["collection"])
        learned = workspace.collection(choices["source"] or choices["collection"])
        if learned.encoder_version != collection.encoder_version:
            raise EncoderMismatchError("the collection to learn from has another encoder")
        extra = _made(collection.taught(), learned.taught(), choices)
        taught = Counter() if choices["dry_run"] else _taught(collection, extra)
    session.show(_generated(extra, taught), _generated_text(extra, taught))


def _made(taught: Taught, learned: Taught, choices: dict[str, Any]) -> Extra:
    from imprint.train.generative.extra import extra_supports
    from imprint.train.generative.generator import fit
    from imprint.train.generative.plan import GeneratorPlan

    counts = Counter(taught.labels)
    rows = [i for i, one in enumerate(taught.labels) if counts[one] <= choices["few"]]
    if not rows:
        raise TooFewSupportsError(
            f"no class has {choices['few']} supports or fewer; raise --few to name larger ones"
        )
    plan = GeneratorPlan(kind=choices["kind"], seed=choices["seed"])
    generator = fit(learned.vectors, learned.labels, plan)
    return extra_supports(
        generator,
        taught.vectors[rows],
        [taught.labels[row] for row in rows],
        n_each=choices["each"],
        seed=choices["seed"],
        real=(taught.vectors, taught.labels),
    )


def _taught(collection: Collection, extra: Extra) -> Counter[str]:
    return Counter(
        collection.teach_generated(one.label, one.vector, metadata=one.metadata).state
        for one in extra.supports
    )


def _generated(extra: Extra, taught: Counter[str]) -> dict[str, Any]:
    found = extra.screened
    return {
        "n_made": len(found.kept),
        "n_kept": len(extra.supports),
        "n_taught": taught["active"],
        "n_held": taught["quarantined"],
        "n_of_another_class": found.n_of_another_class,
        "n_too_close_to_another": found.n_too_close_to_another,
        "n_copies": found.n_copies,
        "n_too_far": found.n_too_far,
        "classes": dict(Counter(extra.labels)),
    }


def _generated_text(extra: Extra, taught: Counter[str]) -> str:
    found = extra.screened
    lost = f"{found.n_of_another_class} nearer to another class, {found.n_too_close_to_another} "
    lost += f"too close to one, {found.n_copies} copies, {found.n_too_far} too far"
    return (
        f"{len(found.kept)} made, {len(extra.supports)} kept ({lost})\n"
        f"{taught['active']} taught, {taught['quarantined']} held for review"
    )


@verb("selftrain", short_help="Let unlabeled items join where the classes are sure of them.")
@click.argument("collection")
@click.argument("unlabeled", metavar="UNLABELED")
@click.option("--rounds", default=5, show_default=True)
@click.option("--most", default=40, show_default=True, help="Items one class takes at most.")
@click.option("--seed", default=0, show_default=True)
@click.option("--always", is_flag=True, help="Teach them even where it is not shown to pay.")
def selftrain_command(
    session: Session, *, collection: str, unlabeled: str, always: bool, **choices: int
) -> None:
    r"""Let unlabeled items join the classes that are sure of them, if that pays.

    UNLABELED is a folder of files, or a text file with one text a line. Supports held out tell
    whether it pays; with one support a class nothing can, and --always decides.

    \b
    Example:
      imprint train selftrain tickets inbox.txt
    """
    _, sources = unlabeled_items(Path(unlabeled))
    with session.workspace(create=False) as workspace:
        opened = workspace.collection(collection)
        read, pool = _pool(session, opened, sources)
        found, comparison = _self_trained(opened, pool, _plan(choices))
        joins = always or (comparison is not None and comparison.pays)
        states = _joined(opened, read, found) if joins else Counter()
    session.show(_joining(found, comparison, states), _joining_text(found, comparison, states))


def _self_trained(
    collection: Collection, pool: Any, plan: SelfTrainPlan
) -> tuple[list[Any], Comparison | None]:
    from imprint.train.selftrain.evidence import compared
    from imprint.train.selftrain.rounds import self_trained

    taught = collection.taught()
    comparison = compared(taught.vectors, taught.labels, pool, plan)
    return self_trained(taught.vectors, taught.labels, pool, plan).pseudo, comparison


def _plan(choices: dict[str, int]) -> SelfTrainPlan:
    from imprint.train.selftrain.plan import SelfTrainPlan

    return SelfTrainPlan(n_rounds=choices["rounds"], n_most=choices["most"], seed=choices["seed"])


def _pool(session: Session, collection: Collection, sources: list[Any]) -> tuple[list[Any], Any]:
    import numpy as np

    made = collection.vectors_of(sources)
    read = [i for i, one in enumerate(made) if not isinstance(one, ImprintError)]
    if len(read) < len(made):
        session.note(f"{len(made) - len(read):,} of {len(made):,} items cannot be read: left out")
    if not read:
        raise TooFewSupportsError("none of the unlabeled items can be read")
    return [sources[i] for i in read], np.stack([np.asarray(made[i]) for i in read])


def _joined(collection: Collection, sources: list[Any], found: list[Any]) -> Counter[str]:
    states: Counter[str] = Counter()
    for one in found:
        noted = {"pseudo": True, "probability": one.probability, "agreement": one.agreement}
        try:
            receipt = collection.teach(
                one.label, sources[one.row], metadata=noted, origin=one.origin
            )
            states[receipt.state] += 1
        except ImprintError:
            # Taught already under another label, or refused at intake: a pool may hold anything.
            states["refused"] += 1
    return states


def _joining(
    found: list[Any], comparison: Comparison | None, states: Counter[str]
) -> dict[str, Any]:
    return {
        "pays": comparison.pays if comparison else None,
        "held_out": comparison._asdict() if comparison else None,
        "n_sure": len(found),
        "n_taught": states["active"],
        "n_held": states["quarantined"],
        "n_refused": states["refused"],
        "classes": dict(Counter(one.label for one in found)),
    }


def _joining_text(found: list[Any], comparison: Comparison | None, states: Counter[str]) -> str:
    lines = [f"{len(found)} unlabeled items are sure of {len({o.label for o in found})} classes"]
    if comparison is None:
        lines.append("with one support a class nothing tells whether it pays (--always decides)")
    else:
        lines.append(
            f"held out {comparison.n_held}: {comparison.accuracy_before:.1%} right before, "
            f"{comparison.accuracy_after:.1%} after (standard error {comparison.error:.1%})"
        )
    if states:
        lines.append(
            f"{states['active']} taught, {states['quarantined']} held for review, "
            f"{states['refused']} refused"
        )
    else:
        lines.append("nothing was taught")
    return "\n".join(lines)


COMMANDS = (generate_command, selftrain_command)
