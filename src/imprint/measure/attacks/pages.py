"""The poisoning report as text and as one HTML file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imprint.measure.attacks.makers import ATTACKS
from imprint.measure.report.html import page, section, table

if TYPE_CHECKING:
    from imprint.measure.attacks.outcome import AttackRow, PoisoningReport, Share

_HEAD = ("attack", "examples", "made", "effective", "found", "95 %", "precision", "lost", "worst")
_GENUINE_HEAD = ("genuine", "examples", "taught", "held", "95 %")


def text_of(report: PoisoningReport) -> str:
    """Two tables and how to read them."""
    parts = [_lead(report), "", *_aligned(_GENUINE_HEAD, _genuine(report))]
    parts += ["", *_aligned(_HEAD, [_cells(row) for row in report.attacks]), "", _READING]
    return "\n".join(parts)


def html_of(report: PoisoningReport) -> str:
    """A self-contained page."""
    told = [(name, ATTACKS[name][1]) for name in dict.fromkeys(r.attack for r in report.attacks)]
    why = [
        (r.attack, str(r.n_shot), ", ".join(f"{k} {n}" for k, n in r.held_by.items()) or "nothing")
        for r in report.attacks
    ]
    sections = [
        section("Attacks", table(_HEAD, [_cells(r) for r in report.attacks], n_words=1), _READING),
        section("Genuine examples", table(_GENUINE_HEAD, _genuine(report), n_words=1)),
        section("What held them", table(("attack", "examples", "checks"), why, n_words=3)),
        section("What each attack is", table(("attack", "is"), told, n_words=2)),
    ]
    return page("Poisoning", _lead(report), sections)


_READING = (
    "Found: share of the effective attempts that were held or refused. Precision: share of attacks "
    "among what is held when as many honest examples come in. Lost: points of accuracy the other "
    "classes lost after all attempts in a row, and in the worst draw."
)


def _lead(report: PoisoningReport) -> str:
    return (
        f"{report.modality}, {report.encoder_version}: {report.n_way} of {report.n_classes} "
        f"classes at a time, {report.n_draws} draws, seed {report.seed}, {report.seconds:.0f} s"
    )


def _genuine(report: PoisoningReport) -> list[tuple[str, ...]]:
    return [
        ("genuine", f"{r.n_shot}", f"{r.n_taught}", *_share(r.false_quarantine_rate))
        for r in report.genuine
    ]


def _cells(row: AttackRow) -> tuple[str, ...]:
    lost = [
        "" if points is None else f"{points:.1f}"
        for points in (row.lost_points, row.lost_points_worst)
    ]
    precision = "" if row.precision is None else f"{row.precision:.1%}"
    return (
        row.attack,
        f"{row.n_shot}",
        f"{row.n_attempts}",
        f"{row.n_effective}",
        *_share(row.recall),
        precision,
        *lost,
    )


def _share(share: Share) -> tuple[str, str]:
    if share.mean is None:
        return "none", ""
    return f"{share.mean:.1%}", f"{share.low:.0%} .. {share.high:.0%}"


def _aligned(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in (head, *rows)
    ]
