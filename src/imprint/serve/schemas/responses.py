"""JSON Schemas of what callers get."""

from __future__ import annotations

from imprint.serve.schemas.parts import (
    COUNT,
    MODALITY,
    RATIO,
    TEXT,
    Schema,
    listed,
    record,
    ref,
)

SECONDS: Schema = {"type": "number", "minimum": 0}

RESPONSES: dict[str, Schema] = {
    "Collection": record(
        {
            "name": TEXT,
            "modality": MODALITY,
            "encoder": TEXT,
            "encoder_version": TEXT,
            "dim": COUNT,
            "policy": {"type": "object"},
            "sequence": COUNT,
            "n_labels": COUNT,
            "n_supports": COUNT,
            "created_at": {"type": "string", "format": "date-time"},
            "staleness": {"anyOf": [ref("Staleness"), {"type": "null"}]},
        },
        ["name", "modality", "encoder_version", "policy", "sequence"],
    ),
    "Staleness": record(
        {
            "prototype_s": SECONDS,
            "max_age_s": {**SECONDS, "type": ["number", "null"]},
            "ratio": {"type": ["number", "null"], "minimum": 0},
            "n_overdue": COUNT,
            "n_due_soon": COUNT,
            "next_expiry": {"type": ["string", "null"], "format": "date-time"},
            "classes": listed(
                record(
                    {
                        "label": TEXT,
                        "newest_s": SECONDS,
                        "median_s": SECONDS,
                        "oldest_s": SECONDS,
                        "prototype_s": SECONDS,
                    },
                    ["label", "newest_s", "median_s", "oldest_s", "prototype_s"],
                )
            ),
        },
        ["prototype_s", "max_age_s", "ratio", "n_overdue", "n_due_soon", "classes"],
    ),
    "Check": record(
        {
            "name": TEXT,
            "verdict": {"type": "string", "enum": ["pass", "warn", "quarantine", "reject"]},
            "score": {"type": "number"},
            "limit": {"type": "number"},
            "hint": TEXT,
        },
        ["name", "verdict", "score", "limit", "hint"],
    ),
    "Evidence": record(
        {"support_id": TEXT, "label": TEXT, "similarity": {"type": "number"}},
        ["support_id", "label", "similarity"],
    ),
    "Candidate": record(
        {"label": TEXT, "confidence": RATIO, "similarity": {"type": "number"}},
        ["label", "confidence", "similarity"],
    ),
    "Receipt": record(
        {
            "support_id": TEXT,
            "label": {"type": ["string", "null"]},
            "state": {"type": "string", "enum": ["active", "quarantined"]},
            "checks": listed(ref("Check")),
            "nearest": listed(ref("Evidence")),
            "encoder_version": TEXT,
            "sequence": COUNT,
        },
        ["support_id", "label", "state", "checks", "nearest", "encoder_version", "sequence"],
    ),
    "Support": record(
        {
            "support_id": TEXT,
            "label": {"type": ["string", "null"]},
            "state": {"type": "string", "enum": ["active", "quarantined"]},
            "encoder_version": TEXT,
            "content_hash": TEXT,
            "sequence": COUNT,
            "taught_at": {"type": "string", "format": "date-time"},
            "taught_by": TEXT,
            "origin": TEXT,
            "media_type": {"type": ["string", "null"]},
            "size_bytes": COUNT,
            "metadata": {"type": "object"},
        },
        ["support_id", "label", "state", "encoder_version", "sequence", "taught_at"],
    ),
    "LabelCount": record({"label": TEXT, "n_supports": COUNT}, ["label", "n_supports"]),
    "Expected": record({"mean": RATIO, "low": RATIO, "high": RATIO}, ["mean", "low", "high"]),
    "ClassReport": record(
        {"label": TEXT, "n_supports": COUNT, "expected": ref("Expected"), "one_more": RATIO},
        ["label", "n_supports", "expected", "one_more"],
    ),
    "Report": record(
        {
            "collection": TEXT,
            "encoder_version": TEXT,
            "head": TEXT,
            "sequence": COUNT,
            "false_accept_rate": RATIO,
            "expected": {"anyOf": [ref("Expected"), {"type": "null"}]},
            "classes": listed(ref("ClassReport")),
            "confusions": listed(
                record(
                    {"label": TEXT, "taken_for": TEXT, "share": RATIO},
                    ["label", "taken_for", "share"],
                )
            ),
            "misleading": listed(
                record(
                    {"support_id": TEXT, "label": TEXT, "looks_like": TEXT},
                    ["support_id", "label", "looks_like"],
                )
            ),
            "duplicates": listed(
                record(
                    {
                        "support_id": TEXT,
                        "other_id": TEXT,
                        "label": TEXT,
                        "other_label": TEXT,
                        "similarity": {"type": "number"},
                    },
                    ["support_id", "other_id", "label", "other_label", "similarity"],
                )
            ),
            "teach_next": listed(TEXT),
            "live": {"anyOf": [ref("LiveAccuracy"), {"type": "null"}]},
            "staleness": {"anyOf": [ref("Staleness"), {"type": "null"}]},
        },
        ["collection", "head", "expected", "classes", "confusions", "teach_next"],
    ),
    "Removed": record({"n_removed": COUNT, "sequence": COUNT}, ["n_removed", "sequence"]),
    "Answer": record(
        {
            "id": TEXT,
            "decision": {"type": "string", "enum": ["recognized", "ambiguous", "unknown"]},
            "label": {"type": ["string", "null"]},
            "confidence": RATIO,
            "candidates": listed(ref("Candidate")),
            "evidence": listed(ref("Evidence")),
            "encoder_version": TEXT,
            "generation": COUNT,
            "sequence": COUNT,
            "notes": listed(TEXT),
            "transductive": {
                "type": "boolean",
                "description": "Other inputs of the same call informed this answer.",
            },
        },
        [
            "id",
            "decision",
            "label",
            "confidence",
            "candidates",
            "evidence",
            "encoder_version",
            "generation",
        ],
    ),
    "Answers": record({"answers": listed({"anyOf": [ref("Answer"), ref("Refused")]})}, ["answers"]),
    "Refused": record(
        {"error": ref("Problem")}, ["error"], description="What was wrong with one of many."
    ),
    "Verification": record(
        {
            "accepted": {"type": "boolean"},
            "confidence": RATIO,
            "threshold": {"type": "number"},
            "false_accept_rate": RATIO,
        },
        ["accepted", "confidence", "threshold", "false_accept_rate"],
    ),
    "ImportOutcome": record(
        {
            "index": COUNT,
            "name": {"type": "string", "description": "Name within the zip file."},
            "receipt": ref("Receipt"),
            "error": ref("Problem"),
        },
        ["index"],
        description="A receipt or an error for one line or file, in order.",
    ),
    "Imported": record(
        {
            "n_accepted": COUNT,
            "n_refused": COUNT,
            "results": listed(ref("ImportOutcome")),
        },
        ["n_accepted", "n_refused", "results"],
    ),
    "Embeddings": record(
        {
            "object": {"const": "list"},
            "model": TEXT,
            "data": listed(
                record(
                    {
                        "object": {"const": "embedding"},
                        "index": COUNT,
                        "embedding": {
                            "anyOf": [listed({"type": "number"}), {"type": "string"}],
                            "description": "Numbers, or little-endian float32 in base64.",
                        },
                    },
                    ["object", "index", "embedding"],
                )
            ),
            "usage": record(
                {"prompt_tokens": COUNT, "total_tokens": COUNT}, ["prompt_tokens", "total_tokens"]
            ),
        },
        ["object", "model", "data", "usage"],
    ),
    "Status": record({"status": {"type": "string", "enum": ["alive", "ready"]}}, ["status"]),
    "Problem": record(
        {
            "type": {"type": "string", "format": "uri-reference"},
            "title": TEXT,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": TEXT,
            "code": TEXT,
            "errors": listed(
                record(
                    {"pointer": TEXT, "code": TEXT, "message": TEXT, "hint": TEXT},
                    ["pointer", "code", "message"],
                )
            ),
            "checks": listed(ref("Check")),
            "request_id": TEXT,
        },
        ["type", "title", "status", "detail", "code", "errors"],
    ),
}
