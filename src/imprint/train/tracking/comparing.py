"""Runs side by side: what was set differently, what came out, how the curves ran."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from imprint.measure.report.html import page, section, table
from imprint.train.tracking.curves import MARKS, STYLE, drawable, svg_plot, text_plot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from imprint.train.tracking.reading import Run

FIRST = ("validation_accuracy", "train_accuracy", "loss")
NOT_PLOTTED = ("elapsed_s", "validation_interval")


@dataclass(frozen=True)
class Comparison:
    """Several runs. `differing` maps a setting to its value in each run, in the order of `runs`."""

    runs: tuple[Run, ...]
    differing: Mapping[str, tuple[Any, ...]]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics that at least one run kept, the telling ones first."""
        names = {name for run in self.runs for name in run.series}
        return tuple(sorted(names, key=lambda n: (FIRST.index(n) if n in FIRST else 99, n)))

    @property
    def plotted(self) -> tuple[str, ...]:
        """Metrics with a curve worth drawing."""
        return tuple(name for name in self.metrics if name not in NOT_PLOTTED)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "runs": [run.to_json() for run in self.runs],
            "differing": {name: list(values) for name, values in self.differing.items()},
            "metrics": list(self.metrics),
        }


def compare(runs: Sequence[Run]) -> Comparison:
    """Find the settings in which runs differ, method, seed, material and code among them."""
    facts = [_facts(run) for run in runs]
    names = sorted({name for one in facts for name in one})
    values = {name: tuple(one.get(name) for one in facts) for name in names}
    differing = {n: v for n, v in values.items() if any(one != v[0] for one in v)}
    return Comparison(tuple(runs), differing)


def text_of(comparison: Comparison) -> str:
    """Tables and one plot for the terminal."""
    runs = comparison.runs
    legend = [
        f"  {MARKS[i % len(MARKS)]}  {run.run_id}  {run.status}" for i, run in enumerate(runs)
    ]
    parts = ["\n".join(legend)]
    if len(runs) > 1:
        rows = [[name, *map(_word, values)] for name, values in comparison.differing.items()]
        parts.append(_lined("differing settings", rows, len(runs)) if rows else "same settings")
    parts.append(_lined("last epoch", _figures(comparison), len(runs)))
    for name in comparison.plotted[:2]:
        curves = [(run.run_id, run.series.get(name, ())) for run in runs]
        parts.append(f"{name}\n{text_plot(curves)}")
    return "\n\n".join(parts)


def shown_of(run: Run) -> str:
    """One run for the terminal: facts, settings, figures, curves, the way to have it again."""
    facts = [f"  {name:<24} {value}" for name, value in _facts_told(run)]
    parts = [run.run_id, "\n".join(facts), text_of(compare([run]))]
    return "\n\n".join([*parts, f"  to have it again:\n{run.reproduce()}"])


def html_of(comparison: Comparison, title: str) -> str:
    """One self-contained page with every curve."""
    runs = comparison.runs
    names = [run.run_id for run in runs]
    head = ("", *names)
    sections = []
    for number, name in enumerate(comparison.plotted):
        curves = [(run.run_id, run.series.get(name, ())) for run in runs]
        sections.append(section(name, svg_plot(f"curve-{number}", name, curves)))
    figures = table(head, _figures(comparison), n_words=1)
    sections.append(section("Figures", figures, "Of the last kept epoch, and final ones."))
    if len(runs) > 1:
        rows = [(name, *map(_word, values)) for name, values in comparison.differing.items()]
        sections.append(section("Differing settings", table(head, rows, n_words=len(head))))
    sections += [section(f"Run {run.run_id}", _told(run)) for run in runs]
    lead = ", ".join(f"{run.run_id} ({run.status})" for run in runs)
    return page(title, lead, sections, STYLE)


def _facts(run: Run) -> dict[str, Any]:
    return {
        "method": run.method,
        "material": run.content_hash[:12],
        "code": (run.git_commit or "")[:12] + (" and changes" if run.git_dirty else ""),
        "processor": run.machine.get("processor", ""),
        **{f"version.{name}": value for name, value in run.versions.items()},
        **run.params,
    }


def _figures(comparison: Comparison) -> list[list[str]]:
    runs = comparison.runs
    rows = [["epochs", *(str(run.n_epochs) for run in runs)]]
    rows.append(["seconds", *(_seconds(run) for run in runs)])
    lasts, finals = [run.last for run in runs], [run.final for run in runs]
    ended = sorted({name for one in finals for name in one})
    rows += [[name, *(_number(one.get(name)) for one in lasts)] for name in comparison.metrics]
    rows += [[f"final {name}", *(_number(one.get(name)) for one in finals)] for name in ended]
    best = [max(drawable(r.series.get(FIRST[0], ())), key=_value, default=None) for r in runs]
    if any(best):
        words = [f"{_number(b[1])} (epoch {b[0]})" if b else "-" for b in best]
        rows.append([f"best {FIRST[0]}", *words])
    return rows


def _value(point: tuple[int, float]) -> float:
    return point[1]


def _told(run: Run) -> str:
    facts = table(("what", "value"), _facts_told(run), n_words=2)
    return f"{facts}<pre>{escape(run.reproduce())}</pre>"


def _facts_told(run: Run) -> list[tuple[str, str]]:
    return [
        ("status", f"{run.status} {run.reason}".strip()),
        ("method", f"{run.method}, {run.n_parameters:,} parameters"),
        ("started", run.started_at + (f", resumed {run.n_resumed} times" * bool(run.n_resumed))),
        ("commit", (run.git_commit or "none") + (" with changes" if run.git_dirty else "")),
        ("material", run.content_hash or "not hashed"),
        ("machine", ", ".join(f"{name} {value}" for name, value in run.machine.items())),
        ("versions", ", ".join(f"{name} {value}" for name, value in run.versions.items())),
        *((f"artifact {one.name}", f"sha256 {one.sha256}") for one in run.artifacts),
        *(("setting " + name, _word(value)) for name, value in run.params.items()),
        *(("note", line) for line in run.notes),
        *(("damage", line) for line in run.damage),
    ]


def _lined(title: str, rows: Sequence[Sequence[str]], n_runs: int) -> str:
    """Columns under the runs' marks."""
    table_rows = [[title, *(MARKS[i % len(MARKS)] for i in range(n_runs))], *rows]
    widths = [max(len(row[i]) for row in table_rows) for i in range(n_runs + 1)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table_rows
    ]
    return "\n".join(f"  {line}" for line in lines)


def _seconds(run: Run) -> str:
    return "-" if run.seconds is None else f"{run.seconds:.0f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _word(value: object) -> str:
    return "-" if value is None else str(value)
