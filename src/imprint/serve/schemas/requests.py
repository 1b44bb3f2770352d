"""JSON Schemas of what callers send."""

from __future__ import annotations

from imprint.serve.schemas.parts import (
    COLLECTION_PATTERN,
    ENCODER_PATTERN,
    EXPIRES_IN_S,
    LABEL,
    LABEL_OR_NULL,
    METADATA,
    MIN_SEQUENCE,
    MODALITY,
    ONE_SOURCE,
    POLICY,
    SAMPLE_DATA,
    SAMPLE_FILE,
    SAMPLE_TEXT,
    TEXT,
    TOP_K,
    Schema,
    listed,
    record,
    ref,
)

REQUESTS: dict[str, Schema] = {
    "Policy": POLICY,
    "NewCollection": record(
        {
            "name": {"type": "string", "pattern": COLLECTION_PATTERN},
            "modality": MODALITY,
            "encoder": {
                "type": "string",
                "pattern": ENCODER_PATTERN,
                "description": "Catalogue name; without it the modality's default is used.",
            },
            "policy": POLICY,
        },
        ["name", "modality"],
    ),
    "PolicyChange": record({"policy": {**POLICY, "minProperties": 1}}, ["policy"]),
    "NewSupport": record(
        {
            "label": LABEL_OR_NULL,
            "text": SAMPLE_TEXT,
            "data": SAMPLE_DATA,
            "metadata": METADATA,
            "expires_in_s": EXPIRES_IN_S,
        },
        ["label"],
        **ONE_SOURCE,
    ),
    "NewSupportForm": record(
        {
            "label": LABEL,
            "file": SAMPLE_FILE,
            "text": SAMPLE_TEXT,
            "metadata": METADATA,
        },
        ["label"],
        oneOf=[{"required": ["text"]}, {"required": ["file"]}],
    ),
    "ClassifyOne": record(
        {
            "text": SAMPLE_TEXT,
            "data": SAMPLE_DATA,
            "top_k": TOP_K,
            "min_sequence": MIN_SEQUENCE,
        },
        [],
        **ONE_SOURCE,
    ),
    "ClassifyMany": record(
        {
            "inputs": listed(ref("Input"), minItems=1, maxItems=1024),
            "top_k": TOP_K,
            "min_sequence": MIN_SEQUENCE,
            "transductive": {
                "type": "boolean",
                "description": "Let the inputs inform each other; answers are marked so.",
            },
        },
        ["inputs"],
    ),
    "Input": {
        "description": 'One sample; plain text is short for {"text": …}.',
        "oneOf": [
            SAMPLE_TEXT,
            record({"text": SAMPLE_TEXT, "data": SAMPLE_DATA}, [], **ONE_SOURCE),
        ],
    },
    "ClassifyForm": record(
        {
            "file": SAMPLE_FILE,
            "text": SAMPLE_TEXT,
            "top_k": TOP_K,
            "min_sequence": MIN_SEQUENCE,
        },
        [],
        oneOf=[{"required": ["text"]}, {"required": ["file"]}],
    ),
    "VerifyOne": record({"text": SAMPLE_TEXT, "data": SAMPLE_DATA}, [], **ONE_SOURCE),
    "VerifyForm": record(
        {"file": SAMPLE_FILE, "text": SAMPLE_TEXT},
        [],
        oneOf=[{"required": ["text"]}, {"required": ["file"]}],
    ),
    "Feedback": record(
        {"label": {**LABEL_OR_NULL, "description": "The right class; null: none of these."}},
        ["label"],
    ),
    "ImportLine": record(
        {"label": LABEL_OR_NULL, "text": SAMPLE_TEXT, "data": SAMPLE_DATA, "metadata": METADATA},
        ["label"],
        **ONE_SOURCE,
    ),
    "EmbeddingsRequest": record(
        {
            "model": {"type": "string", "pattern": ENCODER_PATTERN},
            "input": {
                "anyOf": [
                    SAMPLE_TEXT,
                    listed(SAMPLE_TEXT, minItems=1, maxItems=1024),
                ]
            },
            "encoding_format": {"type": "string", "enum": ["float", "base64"]},
            "dimensions": {
                "type": "integer",
                "minimum": 1,
                "description": "Must be the encoder's own width when given.",
            },
            "user": TEXT,
        },
        ["model", "input"],
    ),
}
