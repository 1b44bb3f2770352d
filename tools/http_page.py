"""docs/http.md and docs/metrics.md, from the running app's own description and registry."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from imprint.serve.metrics import Metrics
from imprint.serve.problems import MEANINGS
from imprint.serve.routes import ENDPOINTS
from imprint.serve.routes.docs import openapi

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFACE = """# HTTP

`imprint serve` answers under `/v1`, JSON in and out; samples travel as text, as a base64 data URI
inside JSON, or as a file in a form. Send `Authorization: Bearer imp_...` with every call under
`/v1`; the tenant comes from the key. The same document is served as `/openapi.json` and, readable,
as `/docs`.

A taught support is durable and classifiable when its 201 is sent. Lists come in pages: pass
`next_cursor` back as `cursor` until it is null. Every response carries `X-Request-ID`, which the
server's log has too.

Refusals are `application/problem+json` (RFC 9457) with a stable [`code`](errors.md), `errors` that
point at each fault, `checks` where a sample was refused, and `Retry-After` on 429 and 503.
"""

METRICS = """# Metrics

What `GET /metrics` answers, in Prometheus' text format; it needs no key. Labels are the route
pattern, method, status, problem code, lane (the kind of work), state and decision. No metric is
labelled with a tenant, a collection or a class.

"""


def http_page() -> str:
    """Calls, bodies and statuses."""
    document = openapi(ENDPOINTS)
    calls = [
        (method.upper(), path, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    parts = [PREFACE, "\n## Calls\n\n| call | does |\n| --- | --- |\n"]
    parts += [f"| `{method} {path}` | {call['summary']} |\n" for method, path, call in calls]
    for method, path, call in calls:
        parts += [f"\n### {method} {path}\n\n", *_call(call)]
    parts.append("\n## Bodies\n\nFields marked * must be there.\n")
    for name, schema in document["components"]["schemas"].items():
        parts += [f"\n### {name}\n\n", *_fields(schema)]
    parts.append("\n## Statuses of refusals\n\n| status | means |\n| --- | --- |\n")
    parts += [f"| {status} | {meaning} |\n" for status, meaning in MEANINGS.items()]
    return "".join(parts)


def metrics_page() -> str:
    """Every metric family of the server."""
    lines = Metrics().page().decode().splitlines()
    kinds = dict(line.split(" ")[2:4] for line in lines if line.startswith("# TYPE "))
    helps = dict(line.split(" ", 3)[2:4] for line in lines if line.startswith("# HELP "))
    rows = [f"| `{name}` | {kinds[name]} | {text} |\n" for name, text in helps.items()]
    return METRICS + "| metric | kind | |\n| --- | --- | --- |\n" + "".join(rows)


def _call(call: dict[str, Any]) -> Iterator[str]:
    yield call["description"] + "\n"
    if not call.get("security", [True]):
        yield "\nNeeds no key.\n"
    asked = [one for one in call["parameters"] if one["in"] != "path"]
    if asked:
        yield "\n| parameter | in | type | |\n| --- | --- | --- | --- |\n"
        for one in asked:
            meaning = one["schema"].get("description", "")
            yield f"| `{one['name']}` | {one['in']} | {_type(one['schema'])} | {meaning} |\n"
    for media_type, body in call.get("requestBody", {}).get("content", {}).items():
        yield f"\nTakes `{media_type}`: {_type(body['schema'])}\n"
        if "example" in body:
            value = body["example"]
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield f"\n```text\n{shown.rstrip()}\n```\n"
    gives, refuses = [], []
    for status, response in call["responses"].items():
        ((media_type, content),) = response["content"].items()
        if media_type == "application/problem+json":
            refuses.append(status)
        else:
            gives.append(f"{status} `{media_type}`: {_type(content['schema'])}")
    yield f"\nAnswers {'; '.join(gives)}. Refuses with {', '.join(refuses)}.\n"


def _fields(schema: dict[str, Any]) -> Iterator[str]:
    if "properties" not in schema:
        yield _type(schema) + "\n"
        return
    yield "| field | type | |\n| --- | --- | --- |\n"
    for name, field in schema["properties"].items():
        mark = "*" if name in schema["required"] else ""
        yield f"| `{name}`{mark} | {_type(field)} | {field.get('description', '')} |\n"
    if "oneOf" in schema:
        choices = " or ".join(f"`{one['required'][0]}`" for one in schema["oneOf"])
        yield f"\nExactly one of {choices}.\n"


def _type(schema: dict[str, Any]) -> str:
    """A schema in a few words, with links to named bodies."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(one)}`" for one in schema["enum"])
    if "properties" in schema:
        return f"object of {', '.join(f'`{name}`' for name in schema['properties'])}"
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(_type(one) for one in choices)
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    return _plain(schema)


def _plain(schema: dict[str, Any]) -> str:
    kind = schema.get("type", "any")
    words = " or ".join(kind) if isinstance(kind, list) else kind
    limits = [f"{sign} {schema[key]}" for key, sign in LIMITS.items() if key in schema]
    default = [f"default {schema['default']}"] if "default" in schema else []
    return ", ".join([words, *limits, *default])


LIMITS = {
    "minimum": "at least",
    "maximum": "at most",
    "minLength": "shortest",
    "maxLength": "longest",
}
