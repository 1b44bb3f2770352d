"""The verb that attacks: bench poisoning."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imprint.cli.session import EPILOG, Progress, verb
from imprint.errors import InvalidOptionError

if TYPE_CHECKING:
    from imprint.cli.session import Session

_PAGE = 1000


@verb(
    "poisoning",
    epilog="Attacks: flip, copy, copy_new, hub, hub_new, collision, trigger, flood, blur; "
    f"docs/operations/quarantine-and-poisoning.md says what each is. {EPILOG}",
)
@click.option("--data", "material", metavar="DIR|FILE", help="Labelled material, as for import.")
@click.option("--collection", metavar="NAME", help="Or the supports of a collection (kept raw).")
@click.option("--encoder", metavar="NAME", help="Encoder; the default of the modality without it.")
@click.option("--attack", "attacks", multiple=True, metavar="NAME", help="Only this; repeatable.")
@click.option("--n-way", default=10, show_default=True)
@click.option("--shots", default="1,2,5", show_default=True, help="Examples a class is taught.")
@click.option("--draws", default=8, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--quick", is_flag=True, help="A first look: fewer draws, 1 and 5 examples.")
@click.option("--text-column", metavar="NAME", help="Column of the texts.")
@click.option("--label-column", metavar="NAME", help="Column of the labels.")
@click.option("--html", metavar="FILE", help="Write a report to look at, too.")
def poisoning_verb(session: Session, *, html: str | None, **choices: Any) -> None:
    r"""Attack copies of your classes as a teacher of ill will could, and count what is noticed.

    Everything happens in memory: your workspace is only read.

    \b
    Example:
      imprint bench poisoning --data train.csv --quick --json
      imprint bench poisoning --collection tickets --attack flip --html poisoning.html
    """
    from imprint.flows.judging.poisoning import poisoning

    samples, labels, encoder = _material(session, choices)
    with Progress("attacks") as progress:
        report = poisoning(
            samples,
            labels,
            _plan(choices),
            encoder=encoder,
            seed=choices["seed"],
            settings=session.settings(),
            progress=progress.heard,
        )
    if html is not None:
        session.note(f"report written to {report.to_html(html)}")
    session.show(report.to_json(), report.to_text())


def _plan(choices: dict[str, Any]) -> Any:
    from imprint.flows.judging.poisoning import PoisoningPlan

    try:
        shots = tuple(int(word) for word in choices["shots"].split(","))
    except ValueError:
        raise InvalidOptionError("--shots takes numbers with commas between, such as 1,5") from None
    chosen: dict[str, Any] = {"n_way": choices["n_way"]}
    if choices["attacks"]:
        chosen["attacks"] = choices["attacks"]
    if choices["quick"]:
        return PoisoningPlan.quick(**chosen)
    return PoisoningPlan(shots=shots, n_draws=choices["draws"], **chosen)


def _material(session: Session, choices: dict[str, Any]) -> tuple[Any, list[str], str | None]:
    """Samples, labels and the encoder of `--data`, or of `--collection`."""
    if (choices["material"] is None) == (choices["collection"] is None):
        raise InvalidOptionError("name either --data or --collection")
    if choices["collection"] is not None:
        return _of_collection(session, choices["collection"], choices["encoder"])
    from imprint.cli.judge import material_of
    from imprint.flows.tables import open_table

    columns = {name: choices[name] for name in ("text_column", "label_column")}
    samples, labels = material_of(session, open_table(Path(choices["material"]), **columns))
    return samples, labels, choices["encoder"]


def _of_collection(
    session: Session, name: str, encoder: str | None
) -> tuple[list[Any], list[str], str | None]:
    """Raw samples of the active supports; each reading is audited, as always."""
    samples, labels, after = [], [], None
    with session.workspace(create=False) as workspace:
        collection = workspace.collection(name)
        while page := collection.supports(state="active", limit=_PAGE, after=after):
            after = page[-1].support_id
            for support in page:
                raw = collection.raw(support.support_id)
                if raw is not None and support.label is not None:
                    samples.append(_source(raw.content, collection.modality))
                    labels.append(support.label)
        chosen = encoder or collection.describe()["encoder"]
    if not samples:
        raise InvalidOptionError("the collection keeps no raw samples to attack with; use --data")
    return samples, labels, chosen


def _source(content: bytes, modality: str) -> Any:
    return content.decode("utf-8") if modality == "text" else content
