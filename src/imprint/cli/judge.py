"""Verbs that show and judge: demo, evaluate, doctor."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imprint.cli.session import CORRUPT, EPILOG, NOT_FOUND, OK, UNEXPECTED, Progress, verb
from imprint.errors import EncoderNotFoundError, InvalidTableError

if TYPE_CHECKING:
    from collections.abc import Callable

    import imprint
    from imprint.cli.session import Session
    from imprint.flows.tables import Table
    from imprint.recipes.demo import Scene, Told

MARKS = {"ok": "ok", "warning": "warning", "failed": "FAILED", "corrupt": "CORRUPT"}


@verb("demo", epilog=f"{EPILOG} 4 also when an encoder cannot be fetched; the rest is shown then.")
@click.option(
    "--report",
    metavar="FILE",
    default="imprint-demo/report.html",
    show_default=True,
    help="Where to write the HTML report.",
)
@click.option("--seed", default=0, show_default=True, help="Another seed draws other symbols.")
def demo_verb(session: Session, *, report: str, seed: int) -> int:
    r"""Teach two collections from one example per class, live, and ask them.

    \b
    Example:
      imprint demo
    """
    from imprint.recipes import demo

    say = session.note if session.json else click.echo
    say("Imprint learns a class from one example. Everything below is computed now.")
    with tempfile.TemporaryDirectory() as folder, _stage(session, folder) as stage:
        acts, lacking = _acts(stage, seed, say)
    written = demo.write_report(Path(report), acts, lacking)
    document = {"report": str(written), "scenes": [t.to_json() for t in acts], "lacking": lacking}
    session.show(document, f"\nThe whole story, with every query: {written}")
    return OK if lacking is None else NOT_FOUND


def _acts(
    stage: imprint.Workspace, seed: int, say: Callable[[str], None]
) -> tuple[list[Told], str | None]:
    """Play the scenes; the second item says what could not be shown."""
    from imprint.recipes import demo

    acts: list[Told] = []
    lacking: str | None = None
    for scene in (demo.tickets_scene(), demo.symbols_scene(seed)):
        say(demo.opening(scene))
        try:
            with Progress(scene.name) as progress:
                acts.append(demo.tell(scene, stage, progress.heard))
        except EncoderNotFoundError as error:
            lacking = f"The {scene.modality} part could not be shown: {error}"
            say(f"  {lacking}\n  {_way_out(stage, scene)}")
            continue
        say(demo.account(acts[-1]))
    return acts, lacking


def _way_out(stage: imprint.Workspace, scene: Scene) -> str:
    name = stage.settings.encoder_for(scene.modality)
    return (
        f"Get it with `imprint models pull {name}` when there is a network, or name a folder that "
        "holds it in IMPRINT_MODEL_MIRROR; then run the demo again."
    )


def _stage(session: Session, folder: str) -> imprint.Workspace:
    """Open a workspace that goes when the demo ends: yours is not touched."""
    session.home = folder
    return session.workspace()


@verb("evaluate")
@click.option("--data", "material", metavar="DIR|FILE", required=True, help="As for import.")
@click.option("--encoder", metavar="NAME", help="Encoder; the default of the modality without it.")
@click.option("--head", default="auto", show_default=True)
@click.option("--n-way", default=5, show_default=True)
@click.option("--n-shot", default=1, show_default=True)
@click.option("--n-query", default=15, show_default=True)
@click.option("--episodes", default=600, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--transductive", is_flag=True, help="Queries of an episode inform each other.")
@click.option("--text-column", metavar="NAME", help="Column of the texts.")
@click.option("--label-column", metavar="NAME", help="Column of the labels.")
@click.option("--html", metavar="FILE", help="Write a report to look at, too.")
def evaluate_verb(session: Session, *, material: str, html: str | None, **choices: Any) -> None:
    r"""Measure how well classes are learnt from n-shot examples of your own material.

    \b
    Example:
      imprint evaluate --data train.csv --n-way 5 --n-shot 1 --seed 0 --json
    """
    import imprint
    from imprint.flows.tables import open_table

    columns = {name: choices.pop(name) for name in ("text_column", "label_column")}
    samples, labels = material_of(session, open_table(Path(material), **columns))
    with Progress("evaluate") as progress:
        report = imprint.evaluate(
            samples,
            labels,
            n_episodes=choices.pop("episodes"),
            leave_out=True,
            settings=session.settings(),
            progress=progress.heard,
            **choices,
        )
    if html is not None:
        report.to_html(html)
        session.note(f"report written to {html}")
    session.show(report.to_json(), report.to_text())


def material_of(session: Session, table: Table) -> tuple[Any, list[str]]:
    """Samples (or vectors) and labels of a table; says how many rows are left out."""
    from imprint.flows.tables import TableRow

    if table.vectors is not None:
        return table.vectors[0], [str(label) for label in table.vectors[1].tolist()]
    found = list(table.rows())
    rows = [row for row in found if isinstance(row, TableRow)]
    if len(rows) < len(found):
        session.note(f"{len(found) - len(rows):,} of {len(found):,} rows cannot be read: left out")
    if not rows:
        raise InvalidTableError("no row can be read; `imprint import` would say why for each")
    return [row.source for row in rows], [row.label for row in rows]


@verb(
    "doctor",
    epilog="Exit codes: 0 all is well (warnings included), 1 something must be put right, "
    "8 the workspace or a model file is corrupt.",
)
def doctor_verb(session: Session) -> int:
    r"""Look over this machine, the encoders and the workspace, and say what to do.

    \b
    Example:
      imprint doctor --json
    """
    from imprint.flows.doctor import examine, worst

    with Progress("examining", 10) as progress:
        findings = []
        for finding in examine(session.settings()):
            findings.append(finding)
            progress.advance()
    verdict = worst(findings)
    lines = [f"{MARKS[f.verdict]:8} {f.name:17} {f.found}" for f in findings]
    lines += [f"-> {f.name}: {f.advice}" for f in findings if f.advice]
    lines.append("All is well." if verdict == "ok" else f"Verdict: {verdict}.")
    session.show({"verdict": verdict, "findings": findings}, "\n".join(lines))
    return {"ok": OK, "warning": OK, "failed": UNEXPECTED, "corrupt": CORRUPT}[verdict]
