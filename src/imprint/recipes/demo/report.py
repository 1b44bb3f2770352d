"""The demo's report: one HTML file that needs nothing beside it, in light and in dark."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING

from imprint.recipes.demo.narration import percent, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from imprint.recipes.demo.scenes import Source
    from imprint.recipes.demo.story import Exchange, Told

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1f24; --soft: #5b6470; --paper: #fbfbf9; --card: #fff;
  --line: #dfe2e6; --good: #17714a; --bad: #a63a2b; --open: #8a6100; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #a2abb8; --paper: #15171a;
  --card: #1e2125; --line: #343a42; --good: #6fd0a2; --bad: #f0978a; --open: #e6bf62; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.7rem; margin: 0 0 .25rem; } h2 { margin: 2.5rem 0 .25rem; }
h3 { margin: 1.5rem 0 .5rem; }
p { margin: .25rem 0 1rem; } .soft { color: var(--soft); }
.figures { display: grid; gap: .75rem;
  grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); }
.figure, .exchange { background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  padding: .8rem 1rem; }
.figure { font-size: .9rem; } .figure b { display: block; font-size: 1.5rem; line-height: 1.3; }
.exchange { margin: .6rem 0; display: flex; gap: 1rem; align-items: flex-start; }
.exchange > div { min-width: 0; flex: 1; }
.good { color: var(--good); } .bad { color: var(--bad); } .open { color: var(--open); }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
td, th { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; }
.exchange th:first-child { width: 6rem; } .exchange th:nth-child(2) { width: 11rem; }
td.number { white-space: nowrap; font-variant-numeric: tabular-nums; }
img { width: 64px; height: 64px; border-radius: .4rem; border: 1px solid var(--line);
  display: block; }
td img { width: 40px; height: 40px; }
details { margin-top: 1rem; } summary { cursor: pointer; }
"""


def write_report(path: Path, acts: Sequence[Told], lacking: str | None = None) -> Path:
    """Write the report; `lacking` says what could not be shown."""
    path.parent.mkdir(parents=True, exist_ok=True)
    notice = f"<p class='bad'>{escape(lacking)}</p>" if lacking else ""
    body = "".join(_scene(told) for told in acts)
    path.write_text(
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>Imprint demo</title><style>{_STYLE}</style></head><body><main>"
        "<h1>Imprint demo</h1><p class='soft'>Every class below was taught from one example. "
        "Everything was computed when this page was made; nothing was prepared but the examples "
        f"and the queries.</p>{notice}{body}</main></body></html>\n",
        encoding="utf-8",
    )
    return path


def _scene(told: Told) -> str:
    explained = "".join(_exchange(told, exchange) for exchange in told.explained)
    return (
        f"<section><h2>{escape(told.scene.title)}</h2><p class='soft'>"
        f"{len(told.scene.examples)} classes, one example each; {len(told.exchanges)} queries, "
        f"{len(told.unknown)} of no class: {escape(told.scene.about)}. "
        f"It is set to name a class for at most {percent(told.scene.false_accept_rate)} of queries "
        f"that have none. Encoder {escape(told.encoder_version)}.</p>{_figures(told)}"
        f"<h3>Three answers and why</h3>{explained}<h3>A mistake</h3>{_mistake(told)}"
        f"<h3>Forgetting {escape(repr(told.forgotten))}</h3>{_forgetting(told)}"
        f"{_examples(told)}{_queries(told)}</section>"
    )


def _figures(told: Told) -> str:
    figures = (
        (percent(told.accuracy_ratio), f"of {len(told.known)} known queries recognized"),
        (percent(told.best_guess_ratio), "of them had the right best candidate"),
        (percent(told.refused_ratio), f"of {len(told.unknown)} unknown queries refused"),
        (percent(told.false_accept_ratio), "of them given a class wrongly"),
        (f"{told.teach_ms:.1f} ms", "to teach an example (median)"),
        (f"{told.classify_ms:.1f} ms", "to answer a query (median)"),
    )
    cards = "".join(f"<div class='figure'><b>{value}</b>{what}</div>" for value, what in figures)
    return f"<div class='figures'>{cards}</div>"


def _mistake(told: Told) -> str:
    if told.mistake is None:
        return "<p>None was made this time.</p>"
    truth = told.mistake.query.label or "no class at all"
    return f"<p>Right would have been: {escape(truth)}.</p>{_exchange(told, told.mistake)}"


def _forgetting(told: Told) -> str:
    return (
        f"<div class='exchange'>{_picture(told.before.query.source)}<div>"
        f"<p>{escape(told.before.query.caption)}</p><table>"
        f"<tr><th>before</th><td>{_verdict(told.before)}</td></tr>"
        f"<tr><th>after</th><td>{_verdict(told.after, judge=False)}</td></tr></table></div></div>"
    )


def _exchange(told: Told, exchange: Exchange) -> str:
    rows = "".join(
        f"<tr><td class='number'>{near.similarity:+.2f}</td><td>{escape(near.label)}</td>"
        f"<td>{_shown(told.scene.examples[told.taught[near.support_id]])}</td></tr>"
        for near in exchange.answer.evidence[:3]
    )
    return (
        f"<div class='exchange'>{_picture(exchange.query.source)}<div>"
        f"<p><b>{escape(exchange.query.caption)}</b><br>{_verdict(exchange)}</p>"
        f"<table><tr><th>similarity</th><th>class</th><th>its example</th></tr>{rows}</table>"
        "</div></div>"
    )


def _verdict(exchange: Exchange, *, judge: bool = True) -> str:
    tone = "open"
    if judge:
        tone = "good" if exchange.is_right else "bad"
    return f"<span class='{tone}'>{escape(verdict(exchange))}</span>"


def _examples(told: Told) -> str:
    rows = "".join(
        f"<tr><td>{escape(label)}</td><td>{_shown(source)}</td></tr>"
        for label, source in told.scene.examples.items()
    )
    return f"<details><summary>What was taught</summary><table>{rows}</table></details>"


def _queries(told: Told) -> str:
    rows = "".join(
        f"<tr><td>{_shown(e.query.source)}</td><td>{escape(e.query.label or 'no class')}</td>"
        f"<td>{_verdict(e)}</td></tr>"
        for e in told.exchanges
    )
    return (
        f"<details><summary>All {len(told.exchanges)} queries and answers</summary><table>"
        f"<tr><th>query</th><th>truth</th><th>answer</th></tr>{rows}</table></details>"
    )


def _shown(source: Source) -> str:
    return escape(source) if isinstance(source, str) else _picture(source)


def _picture(source: Source) -> str:
    if isinstance(source, str):
        return ""
    buffer = io.BytesIO()
    source.save(buffer, "JPEG", quality=88)  # noise makes PNG ten times larger
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"<img alt='' src='data:image/jpeg;base64,{encoded}'>"
