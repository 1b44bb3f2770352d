"""Checks values against the JSON Schemas of the OpenAPI document.

Only the part of JSON Schema used here is known; what is documented is what is checked, so the
document and the server cannot disagree.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from imprint.errors import Fault
from imprint.serve.schemas.access import ACCESS
from imprint.serve.schemas.requests import REQUESTS
from imprint.serve.schemas.responses import RESPONSES
from imprint.serve.schemas.review import REVIEW

if TYPE_CHECKING:
    from imprint.serve.schemas.parts import Schema

COMPONENTS: dict[str, Schema] = {**REQUESTS, **RESPONSES, **REVIEW, **ACCESS}

_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}


def faults_of(value: Any, schema: Schema, pointer: str = "") -> list[Fault]:
    """Everything in which a value departs from a schema; empty when nothing does."""
    if "$ref" in schema:
        return faults_of(value, COMPONENTS[schema["$ref"].rsplit("/", 1)[1]], pointer)
    choices = schema.get("oneOf", schema.get("anyOf"))
    if choices is not None and "type" not in schema:
        return _chosen(value, choices, pointer)
    if "const" in schema:
        return _faults_of_one(value, {"enum": [schema["const"]]}, pointer)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is_kind(value, kind) for kind in kinds):
        return [Fault(pointer, "wrong_type", f"must be of type {' or '.join(kinds)}")]
    return _faults_of_one(value, schema, pointer)


def _faults_of_one(value: Any, schema: Schema, pointer: str) -> list[Fault]:
    if isinstance(value, dict):
        return _object_faults(value, schema, pointer)
    if isinstance(value, list):
        return _list_faults(value, schema, pointer)
    return _scalar_faults(value, schema, pointer)


def _is_kind(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _KINDS[kind])


def _chosen(value: Any, schemas: list[Schema], pointer: str) -> list[Fault]:
    attempts = [faults_of(value, schema, pointer) for schema in schemas]
    if not all(attempts):
        return []
    # The attempt that got past the type is the one the caller meant.
    return next((one for one in attempts if one[0][:2] != (pointer, "wrong_type")), attempts[0])


def _object_faults(value: dict[str, Any], schema: Schema, pointer: str) -> list[Fault]:
    properties = schema.get("properties", {})
    faults = [
        Fault(f"{pointer}/{name}", "missing", "this field is required")
        for name in schema.get("required", [])
        if name not in value
    ]
    for name, part in value.items():
        if name in properties:
            faults += faults_of(part, properties[name], f"{pointer}/{name}")
        elif schema.get("additionalProperties") is False:
            faults.append(Fault(f"{pointer}/{name[:100]}", "unknown_field", "no such field"))
    if len(value) < schema.get("minProperties", 0):
        faults.append(Fault(pointer, "missing", "name at least one field"))
    alternatives = [one["required"][0] for one in schema.get("oneOf", [])]
    if alternatives and sum(name in value for name in alternatives) != 1:
        names = " or ".join(alternatives)
        faults.append(Fault(pointer, "one_source", f"send exactly one of {names}"))
    return faults


def _list_faults(value: list[Any], schema: Schema, pointer: str) -> list[Fault]:
    least, most = schema.get("minItems", 0), schema.get("maxItems", len(value))
    if not least <= len(value) <= most:
        text = f"holds {len(value)} items; must be {least} to {most}"
        return [Fault(pointer, "wrong_length", text)]
    return [
        fault
        for i, part in enumerate(value)
        for fault in faults_of(part, schema["items"], f"{pointer}/{i}")
    ]


def _scalar_faults(value: Any, schema: Schema, pointer: str) -> list[Fault]:
    if "enum" in schema and value not in schema["enum"]:
        return [
            Fault(pointer, "not_allowed", f"must be one of {', '.join(map(str, schema['enum']))}")
        ]
    if isinstance(value, str):
        return _text_faults(value, schema, pointer)
    if isinstance(value, int | float):
        least, most = schema.get("minimum", value), schema.get("maximum", value)
        if not least <= value <= most:
            return [Fault(pointer, "out_of_range", _range(schema))]
    return []


def _range(schema: Schema) -> str:
    return f"must be within {schema.get('minimum', '')} .. {schema.get('maximum', '')}"


def _text_faults(value: str, schema: Schema, pointer: str) -> list[Fault]:
    if "x-judged-by" in schema:
        return []
    least, most = schema.get("minLength", 0), schema.get("maxLength", len(value))
    if not least <= len(value) <= most:
        text = f"has {len(value)} characters; must be {least} to {most}"
        return [Fault(pointer, "wrong_length", text if "maxLength" in schema else "is empty")]
    pattern = schema.get("pattern")
    if pattern is not None and re.fullmatch(pattern, value) is None:
        return [Fault(pointer, "wrong_form", f"must match {pattern}")]
    return []
