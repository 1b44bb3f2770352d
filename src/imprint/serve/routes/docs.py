"""The OpenAPI document and a page that shows it, both made from the table of endpoints.

The page is plain HTML without scripts: it works offline and behind any content policy.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from imprint import __version__
from imprint.serve.endpoint import Call, Endpoint
from imprint.serve.problems import MEANINGS, MEDIA_TYPE, every_error, status_of, title_of
from imprint.serve.schemas.check import COMPONENTS
from imprint.serve.schemas.parts import LABEL, TEXT, ref
from imprint.serve.wire import JSON, to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imprint.serve.schemas.parts import Schema

PATH_PARAMETERS: dict[str, Schema] = {
    "collection": {
        "type": "string",
        "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        "description": "Name of a collection.",
    },
    "support": {"type": "string", "minLength": 1, "description": "Id of a support."},
    "label": {**LABEL, "description": "A class."},
    "answer": {"type": "string", "minLength": 1, "description": "Id of an answer."},
    "key": {"type": "string", "minLength": 1, "description": "Id of a key."},
}
_REQUEST_ID = {"description": "Names this request in the server's log.", "schema": TEXT}
_HTML = "text/html"
# Where the parts of an address come from: the answer of one call names them for the others.
_SOURCES = {
    ("create_collection", "201"): {"collection": "$response.body#/name"},
    ("teach", "201"): {
        "collection": "$request.path.collection",
        "support": "$response.body#/support_id",
        "label": "$response.body#/label",
    },
    ("classify", "200"): {"answer": "$response.body#/id"},
    ("create_key", "201"): {"key": "$response.body#/key_id"},
}


def openapi(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """Describe every endpoint: bodies, answers, problems, key and examples."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    operations = [one for methods in paths.values() for one in methods.values()]
    for operation in operations:
        for status, response in operation["responses"].items():
            if links := _links(_SOURCES.get((operation["operationId"], status), {}), operations):
                response["links"] = links
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Imprint",
            "version": __version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "Teach a class from one example and recognize it from then on.",
        },
        "paths": paths,
        "components": {
            "schemas": COMPONENTS,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "A key: imp_…"}
            },
        },
        "security": [{"key": []}],
    }


def statuses_of(endpoint: Endpoint) -> list[int]:
    """Every problem status an endpoint may answer, as its place in the table implies."""
    found = {500, *endpoint.problems}
    if endpoint.scopes is not None:
        found |= {401, 403, 429, 503}
    if endpoint.takes:
        found |= {400, 408, 413, 415, 422}
    if endpoint.parameters or "{" in endpoint.path:
        found.add(422)
    return sorted(found)


def docs_endpoints(endpoints: Sequence[Endpoint]) -> tuple[Endpoint, ...]:
    """Make the endpoints that hand out the document and its page; they describe themselves too."""
    written: dict[str, Response] = {}

    def show_openapi(call: Call) -> Response:  # noqa: ARG001 - every handler takes a call
        return written["openapi"]

    def show_page(call: Call) -> Response:  # noqa: ARG001 - every handler takes a call
        return written["page"]

    own = (
        _open("/openapi.json", show_openapi, "This document", {200: (JSON, {"type": "object"})}),
        _open("/docs", show_page, "This document as a page", {200: (_HTML, TEXT)}),
    )
    document = openapi([*endpoints, *own])
    guards = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    written["openapi"] = Response(to_json(document), 200, None, JSON)
    written["page"] = Response(html([*endpoints, *own]), 200, guards, _HTML)
    return own


def _links(known: dict[str, str], operations: list[dict[str, Any]]) -> dict[str, Any]:
    """Name the calls whose address is made of nothing but what is known."""
    links: dict[str, Any] = {}
    for operation in operations:
        needed = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
        if needed and needed <= set(known) and (len(known) == 1 or needed != {"collection"}):
            links[operation["operationId"]] = {
                "operationId": operation["operationId"],
                "parameters": {f"path.{name}": known[name] for name in sorted(needed)},
            }
    return links


def _open(path: str, handler: Any, summary: str, gives: Any) -> Endpoint:
    return Endpoint("GET", path, handler, summary, gives, scopes=None, lane="loop")


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.handler.__name__,
        "summary": endpoint.summary,
        "description": description_of(endpoint),
        "parameters": _parameters(endpoint),
        "responses": _responses(endpoint),
    }
    if endpoint.scopes is None:
        operation["security"] = []
    if endpoint.takes:
        operation["requestBody"] = {"required": True, "content": _bodies(endpoint)}
    return operation


def description_of(endpoint: Endpoint) -> str:
    """What the call does, notes and the scopes that open it."""
    text = (endpoint.handler.__doc__ or "").strip()
    if endpoint.note:
        text = f"{text}\n\n{endpoint.note}"
    if endpoint.scopes:
        text = f"{text}\n\nScope: {' or '.join(endpoint.scopes)}."
    return text


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": PATH_PARAMETERS[name]}
        for name in re.findall(r"\{(\w+)\}", endpoint.path)
    ]
    in_query = [
        {"name": name, "in": "query", "schema": schema}
        for name, schema in endpoint.parameters.items()
    ]
    in_headers = [
        {"name": name, "in": "header", "schema": schema}
        for name, schema in endpoint.headers.items()
    ]
    return in_path + in_query + in_headers


def _bodies(endpoint: Endpoint) -> dict[str, Any]:
    content: dict[str, Any] = {name: {"schema": schema} for name, schema in endpoint.takes.items()}
    for example in endpoint.examples:
        content[example.media_type]["example"] = example.value
    return content


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    headers = {"X-Request-ID": _REQUEST_ID}
    responses: dict[str, Any] = {
        str(status): {
            "description": endpoint.summary,
            "headers": headers,
            "content": {media_type: {"schema": schema}},
        }
        for status, (media_type, schema) in endpoint.gives.items()
    }
    for status in statuses_of(endpoint):
        more = {"Retry-After": {"schema": {"type": "integer"}}} if status in {429, 503} else {}
        responses[str(status)] = {
            "description": MEANINGS[status],
            "headers": {**headers, **more},
            "content": {MEDIA_TYPE: {"schema": ref("Problem")}},
        }
    return responses


def html(endpoints: Sequence[Endpoint]) -> str:
    """Show the calls and the problem codes on one page."""
    calls = "".join(_call_html(endpoint) for endpoint in endpoints)
    problems = "".join(
        f'<tr id="{kind.code}"><td><code>{kind.code}</code><td>{status_of(kind)}'
        f"<td>{escape(title_of(kind))}"
        for kind in every_error()
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Imprint HTTP</title>{_STYLE}'
        f"<h1>Imprint {__version__}</h1><p>Machine-readable: "
        f'<a href="/openapi.json">/openapi.json</a>. Send <code>Authorization: Bearer imp_…</code> '
        f"with every call under /v1.</p>{calls}"
        f"<h2>Problems</h2><table><tr><th>code<th>status<th>meaning{problems}</table></html>"
    )


def _call_html(endpoint: Endpoint) -> str:
    examples = "".join(
        f"<pre>{escape(example.media_type)}\n{escape(str(example.value))}</pre>"
        for example in endpoint.examples
    )
    gives = ", ".join(str(status) for status in [*endpoint.gives, *statuses_of(endpoint)])
    return (
        f"<h2><code>{endpoint.method} {escape(endpoint.path)}</code></h2>"
        f"<p>{escape(description_of(endpoint))}</p>{examples}<p>Answers: {gives}</p>"
    )


_STYLE = (
    "<style>body{font:16px/1.5 system-ui,sans-serif;"
    "max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "pre{background:#f4f4f4;padding:.6rem;overflow:auto}h2{font-size:1.1rem;margin-top:2rem}"
    "p{white-space:pre-line}td,th{text-align:left;padding:.2rem .8rem .2rem 0}</style>"
)
