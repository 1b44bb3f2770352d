"""The JSON shape of an evaluation report."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from imprint.types import as_json

if TYPE_CHECKING:
    from imprint.measure.report.summary import EvaluationReport

ESTIMATES = (
    ("top1", "top-1 accuracy"),
    ("top5", "top-5 accuracy"),
    ("ece", "calibration error (ECE)"),
    ("brier", "Brier score"),
    ("recognized_correct", "recognized rightly"),
    ("support_query_gap", "support/query gap"),
    ("auroc", "open-set AUROC"),
    ("fpr95", "FPR at 95 % TPR"),
    ("false_accept", "unknown named as a class"),
)


def json_of(report: EvaluationReport) -> dict[str, Any]:
    """Protocol fields and estimates at the top, tables below; plain JSON values throughout."""
    bins = report.reliability
    estimates = {name: getattr(report, name) for name, _ in ESTIMATES}
    return {
        **{name: one.to_json() if one else None for name, one in estimates.items()},
        **asdict(report.protocol),
        "seconds": dict(report.seconds),
        "per_class": as_json(report.per_class),
        "labels": list(report.labels),
        "confusion": report.confusion.tolist(),
        "reliability": [
            {"confidence": float(c), "accuracy": float(a), "n": int(n)}
            for c, a, n in zip(bins.confidence, bins.accuracy, bins.n, strict=True)
        ],
        "mistakes": as_json(report.mistakes),
    }
