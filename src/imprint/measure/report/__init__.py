"""An evaluation, counted up and shown: JSON, terminal table, HTML page."""

from imprint.measure.report.summary import (
    Captions,
    EvaluationReport,
    Mistake,
    NearSupport,
    Protocol,
    summarize,
)

__all__ = ["Captions", "EvaluationReport", "Mistake", "NearSupport", "Protocol", "summarize"]
