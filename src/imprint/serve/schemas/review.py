"""JSON Schemas of reviewing, previewing, going back, and learning from feedback."""

from __future__ import annotations

from imprint.serve.schemas.parts import (
    COUNT,
    LABEL,
    LABEL_OR_NULL,
    RATIO,
    SAMPLE_DATA,
    SAMPLE_FILE,
    SAMPLE_TEXT,
    TEXT,
    Schema,
    listed,
    record,
    ref,
)

# A dry run answers what teaching would refuse: forbidden characters come back as a check.
_CANDIDATE: Schema = {key: value for key, value in SAMPLE_TEXT.items() if key != "pattern"}
_LABEL_OR_NONE: Schema = {"type": ["string", "null"]}

REVIEW: dict[str, Schema] = {
    "Relabel": record({"label": LABEL_OR_NULL}, ["label"]),
    "Rejection": record(
        {
            "erase": {
                "type": "boolean",
                "description": "Destroy embedding and raw bytes: it cannot be brought back.",
            }
        },
        [],
    ),
    "Return": record(
        {
            "sequence": {
                "type": "integer",
                "minimum": 0,
                "maximum": 2**53,
                "description": "The write to return to, such as a receipt's `sequence`.",
            },
            "label": {**LABEL, "description": "Only this class; everything without it."},
        },
        ["sequence"],
    ),
    "Candidacy": record(
        {"label": LABEL_OR_NULL, "text": _CANDIDATE, "data": SAMPLE_DATA},
        ["label"],
        oneOf=[{"required": ["text"]}, {"required": ["data"]}],
    ),
    "CandidacyForm": record(
        {"label": LABEL, "file": SAMPLE_FILE, "text": _CANDIDATE},
        ["label"],
        oneOf=[{"required": ["text"]}, {"required": ["file"]}],
    ),
    "TaughtAnswer": record(
        {"label": {**LABEL_OR_NULL, "description": "The right class; null: none of these."}},
        ["label"],
    ),
    "Held": record(
        {"support": ref("Support"), "checks": listed(ref("Check"))}, ["support", "checks"]
    ),
    "Preview": record(
        {
            "label": _LABEL_OR_NONE,
            "state": {"type": "string", "enum": ["active", "quarantined", "rejected"]},
            "checks": listed(ref("Check")),
            "nearest": listed(ref("Evidence")),
            "effects": listed(
                record(
                    {"label": TEXT, "n_asked": COUNT, "n_lost": COUNT},
                    ["label", "n_asked", "n_lost"],
                ),
                description="Classes whose samples would change sides, and how many.",
            ),
        },
        ["label", "state", "checks", "nearest", "effects"],
    ),
    "Reverted": record(
        {
            "to_sequence": COUNT,
            "n_restored": COUNT,
            "n_removed": COUNT,
            "n_changed": COUNT,
            "sequence": COUNT,
        },
        ["to_sequence", "n_restored", "n_removed", "n_changed", "sequence"],
    ),
    "Correction": record(
        {
            "answer_id": TEXT,
            "label": _LABEL_OR_NONE,
            "was_right": {"type": "boolean"},
            "misled_by": {"anyOf": [ref("Evidence"), {"type": "null"}]},
            "receipt": {"anyOf": [ref("Receipt"), {"type": "null"}]},
        },
        ["answer_id", "label", "was_right", "misled_by", "receipt"],
    ),
    "LiveAccuracy": record(
        {"n_answers": COUNT, "mean": RATIO, "low": RATIO, "high": RATIO},
        ["n_answers", "mean", "low", "high"],
        description="Share of the answers with feedback that were right.",
    ),
}
