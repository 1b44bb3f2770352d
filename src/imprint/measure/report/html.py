"""The evaluation report as one HTML file: no script, nothing fetched, light and dark."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from imprint.measure.report.plots import confusion_plot, reliability_plot
from imprint.measure.report.shapes import ESTIMATES
from imprint.measure.report.text import headline, percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from imprint.measure.report.summary import Captions, EvaluationReport, Mistake

_N_PAIRS = 15
_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de;
  --tile: #f6f8fa; --hit: #0a5cad; --miss: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --paper: #0f1419; --ink: #e6edf3; --soft: #9da7b1;
  --line: #3a424b; --tile: #1a2027; --hit: #6cb6ff; --miss: #ff8a80; } }
body { margin: 0 auto; max-width: 68rem; padding: 1.5rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; }
p { max-width: 46rem; } .soft { color: var(--soft); }
.tiles { display: grid; gap: .6rem; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr));
  padding: 0; list-style: none; }
.tiles li { background: var(--tile); border: 1px solid var(--line); border-radius: .5rem;
  padding: .6rem .8rem; }
.tiles strong { display: block; font-size: 1.15rem; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; } svg { max-width: 100%; height: auto; }
svg text { fill: var(--ink); font: 11px system-ui, sans-serif; }
.grid { stroke: var(--line); } .ideal { stroke: var(--soft); stroke-dasharray: 5 4; }
.curve { fill: none; stroke: var(--hit); stroke-width: 1.5; } .dot, .hit { fill: var(--hit); }
.miss { fill: var(--miss); } .frame { fill: none; stroke: var(--line); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem 1rem .3rem 0; text-align: left;
  vertical-align: top; } tbody th { font-weight: 400; } td.n, th.n { text-align: right; }
blockquote { margin: .2rem 0; overflow-wrap: anywhere; } img { display: block; }
"""
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>Imprint {lower}</title><style>{style}</style></head>
<body><main><h1>{title}</h1><p class="soft">{lead}</p>
{sections}
</main></body></html>
"""


def html_of(report: EvaluationReport, captions: Captions) -> str:
    """Render the page; `captions` shows something of the rows that mistakes name."""
    sections = [
        _tiles(report),
        section(
            "Does confidence mean what it says?",
            reliability_plot(report.reliability),
            "Queries are grouped by the confidence of their answer; in each group the share that "
            "was right should equal that confidence. Dots below the dashed line: too sure.",
        ),
        section("What is taken for what", confusion_plot(report.confusion, report.labels)),
        section("Most confused pairs", _pairs(report)),
        section(
            "Worst mistakes",
            _mistakes(report.mistakes, captions),
            "The surest wrong answers, with the supports that were nearest to the query.",
        ),
        section("Classes, weakest first", _classes(report)),
    ]
    return page("Evaluation", headline(report.protocol), sections)


def page(title: str, lead: str, sections: Sequence[str], style: str = "") -> str:
    """One self-contained page: nothing is fetched and no script runs. `style` adds rules."""
    return _PAGE.format(
        style=_STYLE + style,
        title=escape(title),
        lower=escape(title.lower()),
        lead=escape(lead),
        sections="\n".join(sections),
    )


def section(title: str, content: str, lead: str = "") -> str:
    """A part of a page: heading, a sentence or two, and content that may scroll sideways."""
    words = f"<p>{escape(lead)}</p>" if lead else ""
    return f'<section><h2>{escape(title)}</h2>{words}<div class="scroll">{content}</div></section>'


def _tiles(report: EvaluationReport) -> str:
    tiles = [
        f"<li>{escape(caption)}<strong>{escape(percent(getattr(report, name)).strip())}</strong>"
        for name, caption in ESTIMATES
    ]
    times = [
        f"<li>{escape(name)}<strong>{value:.2f} s</strong>"
        for name, value in report.seconds.items()
    ]
    return f'<ul class="tiles">{"</li>".join([*tiles, *times])}</li></ul>'


def _pairs(report: EvaluationReport) -> str:
    wrong = report.confusion - np.diag(np.diag(report.confusion))
    asked = report.confusion.sum(axis=1)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_N_PAIRS]
    rows = []
    for truth, answered in zip(*np.unravel_index(order, wrong.shape), strict=True):
        n = int(wrong[truth, answered])
        if n:
            share = f"{n / asked[truth]:.1%}"
            rows.append((report.labels[truth], report.labels[answered], str(n), share))
    return table(("true class", "answered", "queries", "share of the class"), rows, n_words=2)


def _classes(report: EvaluationReport) -> str:
    asked = sorted((row for row in report.per_class if row.n_queries), key=lambda row: row.f1)
    rows = [
        (
            row.label,
            f"{row.n_queries}",
            f"{row.precision:.1%}",
            f"{row.recall:.1%}",
            f"{row.f1:.1%}",
        )
        for row in asked
    ]
    return table(("class", "queries", "precision", "recall", "F1"), rows, n_words=1)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, n_words: int) -> str:
    """A table whose first `n_words` columns hold words and the others numbers."""
    kinds = ["" if i < n_words else ' class="n"' for i in range(len(head))]
    top = "".join(f'<th scope="col"{k}>{escape(h)}</th>' for h, k in zip(head, kinds, strict=True))
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td{k}>{escape(c)}</td>" for c, k in zip(row[1:], kinds[1:], strict=True))
        + "</tr>"
        for row in rows
    )
    if not body:
        return "<p>None.</p>"
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _mistakes(mistakes: Iterable[Mistake], captions: Captions) -> str:
    rows = []
    for mistake in mistakes:
        near = "".join(
            f"<li>{escape(one.label)}, similarity {one.similarity:.3f} (row {one.row})"
            f"{_shown(captions.supports.get(one.row))}</li>"
            for one in mistake.evidence
        )
        rows.append(
            f"<tr><td>row {mistake.row}{_shown(captions.queries.get(mistake.row))}</td>"
            f"<td>{escape(mistake.truth)}</td><td>{escape(mistake.answered)}</td>"
            f'<td class="n">{mistake.confidence:.1%}</td><td><ol>{near}</ol></td></tr>'
        )
    if not rows:
        return "<p>None: every query was answered rightly.</p>"
    head = "".join(
        f'<th scope="col">{name}</th>'
        for name in ("query", "true class", "answered", "confidence", "nearest supports")
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _shown(caption: str | None) -> str:
    if not caption:
        return ""
    if caption.startswith("data:image/png;base64,"):
        return f'<img alt="the sample itself" src="{escape(caption)}">'
    return f"<blockquote>{escape(caption)}</blockquote>"
