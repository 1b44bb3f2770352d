"""The terminal table of an evaluation report."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from imprint.measure.report.shapes import ESTIMATES

if TYPE_CHECKING:
    from imprint.measure.metrics import Estimate
    from imprint.measure.report.summary import EvaluationReport, Protocol

_LABEL_WIDTH = 32


def text_of(report: EvaluationReport, n_classes: int) -> str:
    """Headline, estimates with intervals, weakest classes, seconds."""
    rows = [headline(report.protocol), ""]
    for name, caption in ESTIMATES:
        rows.append(f"  {caption:<26}{percent(getattr(report, name))}")
    weakest = sorted((row for row in report.per_class if row.n_queries), key=lambda row: row.f1)
    if n_classes and weakest:
        rows += ["", f"  {'weakest classes':<{_LABEL_WIDTH}}  queries  precision  recall      F1"]
        for row in weakest[:n_classes]:
            rows.append(
                f"  {clipped(row.label):<{_LABEL_WIDTH}}  {row.n_queries:>7}"
                f"  {row.precision:>8.1%}  {row.recall:>6.1%}  {row.f1:>6.1%}"
            )
    times = ", ".join(f"{name} {value:.2f} s" for name, value in report.seconds.items())
    return "\n".join([*rows, "", f"  time: {times}"] if times else rows)


def headline(protocol: Protocol) -> str:
    """One sentence that says how the numbers came about."""
    if protocol.protocol == "episodic":
        queries = f"{protocol.n_query} queries per class"
        if protocol.alpha is not None:
            queries += f" on average (Dirichlet, alpha {protocol.alpha:g})"
        job = (
            f"{protocol.n_way}-way {protocol.n_shot}-shot, {queries}, "
            f"{protocol.n_episodes} episodes"
        )
    else:
        job = (
            f"full set: {protocol.n_way} of {protocol.n_classes} classes taught from "
            f"{protocol.n_shot} each, all test rows asked, {protocol.n_episodes} draws"
        )
    encoder = f", encoder {protocol.encoder_version}" if protocol.encoder_version else ""
    left_out = f"; {protocol.n_left_out} unreadable left out" if protocol.n_left_out else ""
    together = " (transductive: queries informed each other)" if protocol.transductive else ""
    return f"{job}, seed {protocol.seed}, head {protocol.head}{together}{encoder}{left_out}"


def percent(estimate: Estimate | None) -> str:
    """An estimate as "52.70 % ± 0.41", or why there is none."""
    if estimate is None:
        return "   (no class left to ask as unknown)"
    spread = "" if math.isnan(estimate.ci95) else f" ± {100 * estimate.ci95:.2f}"
    return f"{100 * estimate.mean:6.2f} %{spread}"


def clipped(label: str, width: int = _LABEL_WIDTH) -> str:
    """A label cut to the width of its column."""
    return label if len(label) <= width else f"{label[: width - 1]}…"
