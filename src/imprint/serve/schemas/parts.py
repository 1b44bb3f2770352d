"""Parts that the JSON Schemas of requests and responses are made of."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from imprint.flows.policy import EVICTIONS, MOST_DAYS
from imprint.heads import HEADS
from imprint.intake.decode_media import DEFAULT_LIMITS
from imprint.intake.masking import MASKS
from imprint.intake.quality.limits import QualityLimits
from imprint.intake.verdict import MODES

Schema = dict[str, Any]

COLLECTION_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_B64 = "[A-Za-z0-9+/_-]"
DATA_PATTERN = (
    "^data:[A-Za-z0-9.+-]+/[A-Za-z0-9.+-]+(;[^,]*)?;base64,"
    f"({_B64}{{4}})*({_B64}{{2}}==|{_B64}{{3}}=)?$"
)
_OF_LABELS = r"\u0000-\u001f\u007f-\u009f\u2028\u2029/\\"
_OF_TEXT = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f"
# Not only white space and dots; no control character, line break or slash.
LABEL_PATTERN = f"^[^{_OF_LABELS}]*[^{_OF_LABELS}\\s.][^{_OF_LABELS}]*$"
# Not only white space and byte order marks; of the control characters only tab and line breaks.
TEXT_PATTERN = f"^[^{_OF_TEXT}]*[^{_OF_TEXT}\\s\\ufeff][^{_OF_TEXT}]*$"
ENCODER_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"


def record(properties: dict[str, Schema], required: list[str], **more: Any) -> Schema:
    """An object with these fields and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
        **more,
    }


def ref(name: str) -> Schema:
    """Point at a schema of COMPONENTS."""
    return {"$ref": f"#/components/schemas/{name}"}


def listed(items: Schema, **more: Any) -> Schema:
    """A list."""
    return {"type": "array", "items": items, **more}


def page_of(name: str) -> Schema:
    """A page of a list, and the cursor of the next."""
    return record(
        {"items": listed(ref(name)), "next_cursor": {"type": ["string", "null"]}},
        ["items", "next_cursor"],
    )


# Judged by the verbs themselves, so that every door gives the same code for the same mistake.
OF_THE_VERBS: Schema = {"x-judged-by": "verb"}

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
RATIO: Schema = {"type": "number", "minimum": 0, "maximum": 1}
LABEL: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 200,
    "pattern": LABEL_PATTERN,
    **OF_THE_VERBS,
    "description": "Class name: no line break, no control character, no '/' or '\\'.",
}
LABEL_OR_NULL: Schema = {
    **LABEL,
    "type": ["string", "null"],
    "description": f"{LABEL['description']} Null teaches a negative, 'not this one'.",
}
SAMPLE_TEXT: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": DEFAULT_LIMITS.text_characters,
    "pattern": TEXT_PATTERN,
    **OF_THE_VERBS,
    "description": "The sample, for a collection of text.",
}
SAMPLE_DATA: Schema = {
    "type": "string",
    "pattern": DATA_PATTERN,
    "description": "The sample's bytes as a base64 data URI, such as data:image/png;base64,iVBO…",
}
SAMPLE_FILE: Schema = {
    "type": "string",
    "format": "binary",
    "description": "The sample's bytes.",
}
TOP_K: Schema = {"type": "integer", "minimum": 1, "maximum": 100, "default": 5}
MIN_SEQUENCE: Schema = {
    "type": "integer",
    "minimum": 0,
    "maximum": 2**53,
    "description": "Answer only from a state that includes this write (a receipt's `sequence`).",
}
METADATA: Schema = {
    "type": "object",
    "description": "Kept with the support and given back, at most 16 KiB; not used to answer.",
}
EXPIRES_IN_S: Schema = {
    "type": "integer",
    "minimum": 1,
    "maximum": MOST_DAYS * 86_400,
    "description": "After how many seconds it answers no more.",
}
POLICY: Schema = record(
    {
        "false_accept_rate": {
            "type": "number",
            "minimum": 0.001,
            "maximum": 0.5,
            "description": "Share of queries of no class that may be answered with one.",
        },
        "head": {
            "type": "string",
            "enum": sorted(HEADS),
            "description": "Few-shot classifier; auto picks one.",
        },
        "keep_raw": {"type": "boolean", "description": "False keeps embeddings only."},
        "log_answers": {"type": "boolean", "description": "False keeps no prediction log."},
        "mask": {
            "type": "array",
            "items": {"type": "string", "enum": list(MASKS)},
            "maxItems": len(MASKS),
            "description": "Personal data replaced in texts before they are embedded or stored.",
        },
        "max_age_days": {
            "type": ["number", "null"],
            "minimum": 0.001,
            "maximum": MOST_DAYS,
            "description": "How long a support answers at most; null: without end.",
        },
        "retention_days": {
            "type": ["number", "null"],
            "minimum": 0,
            "maximum": MOST_DAYS,
            "description": "How long what is forgotten or expired can be brought back.",
        },
        "eviction": {
            "type": "string",
            "enum": list(EVICTIONS),
            "description": "What makes room in a class where the tenant may hold no more.",
        },
        "screening": {
            "type": "string",
            "enum": list(MODES),
            "description": "quarantine holds what a check holds, strict what it warns of, too.",
        },
        "quality": {
            "type": "object",
            "properties": {
                limit.name: {"type": "number", "minimum": 0, "maximum": 1e6}
                for limit in fields(QualityLimits)
            },
            "additionalProperties": False,
            "description": "Limits of the quality checks that differ from the usual ones.",
        },
    },
    [],
)
MODALITY: Schema = {"type": "string", "enum": ["image", "text", "audio"]}
ONE_SOURCE: Schema = {"oneOf": [{"required": ["text"]}, {"required": ["data"]}]}
