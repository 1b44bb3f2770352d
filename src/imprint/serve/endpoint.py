"""What an endpoint is: one row of the table that the server, its document and its page are made of.

A handler is a plain function from a `Call` to a `Response`. It runs on a thread of its lane, after
the caller is known and the body has arrived: no handler touches the event loop.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Literal, NoReturn

from starlette.responses import Response

from imprint.errors import Fault, InvalidKeyError
from imprint.serve.schemas.check import faults_of
from imprint.serve.wire import JSON, read_fields, refuse, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.datastructures import Headers

    from imprint.flows.collection import Collection
    from imprint.flows.workspace import Workspace
    from imprint.serve.auth import Caller
    from imprint.serve.limits import Limits
    from imprint.serve.metrics import Metrics
    from imprint.serve.routes.health import Readiness
    from imprint.serve.schemas.parts import Schema

# "loop" is for handlers that only hand out bytes: they need no thread and must answer always.
LaneName = Literal["answer", "teach", "import", "probe", "loop"]
BodyKind = Literal["none", "held", "spooled"]

CURSOR: Schema = {"type": "string", "pattern": "^([0-9a-f]{2}){1,1600}$"}
PAGE_PARAMETERS: dict[str, Schema] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
    "cursor": {**CURSOR, "description": "`next_cursor` of the page before."},
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request whose caller is known and whose body has arrived."""

    workspace: Workspace
    metrics: Metrics
    limits: Limits
    readiness: Readiness
    path: Mapping[str, str]
    query: Mapping[str, Any]
    headers: Headers
    caller: Caller | None = None
    body: bytes = b""
    spool: IO[bytes] | None = None

    def known_caller(self) -> Caller:
        """The holder of the credential. Raises InvalidKeyError where none was asked for."""
        if self.caller is None:
            raise InvalidKeyError("this call needs a key")
        return self.caller

    def collection(self) -> Collection:
        """The collection named in the address. Raises CollectionNotFoundError."""
        return self.workspace.collection(self.path["collection"])

    def fields(self, schema: str, form_schema: str | None = None) -> dict[str, Any]:
        """Checked fields of the body, a form where the call takes one."""
        return read_fields(self.body, self.headers.get("content-type"), schema, form_schema)


@dataclass(frozen=True, slots=True)
class Example:
    """A request and what it shows, for the document."""

    media_type: str
    value: Any


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one address.

    `scopes`: any one of them opens the call; None means no key is needed. `takes` maps media
    types to schemas of the body, `gives` maps statuses to (media type, schema).
    """

    method: str
    path: str
    handler: Callable[[Call], Response]
    summary: str
    gives: Mapping[int, tuple[str, Schema]]
    takes: Mapping[str, Schema] = field(default_factory=dict)
    scopes: tuple[str, ...] | None = ("teach", "classify")
    lane: LaneName = "answer"
    body: BodyKind = "none"
    parameters: Mapping[str, Schema] = field(default_factory=dict)
    headers: Mapping[str, Schema] = field(default_factory=dict)
    problems: Sequence[int] = ()
    examples: Sequence[Example] = ()
    note: str = ""


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer a JSON document."""
    return Response(to_json(value), status, headers, JSON)


def page_response(items: list[Any], last: str | None) -> Response:
    """Answer a page; `last` names where the next one begins, None after the last page."""
    return json_response({"items": items, "next_cursor": None if last is None else cursor_of(last)})


def read_query(
    pairs: Sequence[tuple[str, str]], parameters: Mapping[str, Schema]
) -> dict[str, Any]:
    """Check query parameters; those left out take their defaults.

    Raises:
        InvalidRequestError: an unknown, repeated or wrong one.
    """
    values: dict[str, Any] = {
        name: schema["default"] for name, schema in parameters.items() if "default" in schema
    }
    given: set[str] = set()
    faults: list[Fault] = []
    for name, text in pairs:
        pointer = f"/query/{name[:100]}"
        if name not in parameters or name in given:
            code = "sent_twice" if name in given else "unknown_parameter"
            faults.append(Fault(pointer, code, "is sent twice" if name in given else "is unknown"))
            continue
        given.add(name)
        values[name] = _typed(text, parameters[name])
        faults += faults_of(values[name], parameters[name], pointer)
    if faults:
        refuse(faults)
    return values


def read_header(headers: Headers, name: str, schema: Schema) -> str | None:
    """Check one header; None when it is not there. Raises InvalidRequestError."""
    found = headers.getlist(name)
    if not found:
        return None
    faults = faults_of(found[0], schema, f"/header/{name}")
    if len(found) > 1:
        faults.append(Fault(f"/header/{name}", "sent_twice", "is sent twice"))
    if faults:
        refuse(faults)
    return found[0]


def cursor_of(last: str) -> str:
    """Write where a page ended as an opaque cursor."""
    return last.encode().hex()


def read_cursor(cursor: str | None) -> str | None:
    """Read a cursor back.

    It is a place and no authority: a made-up one begins a page of the caller's own list somewhere
    else, or is refused where the place must exist.

    Raises:
        InvalidRequestError: no list ever gave it.
    """
    if cursor is None:
        return None
    try:
        return bytes.fromhex(cursor).decode("utf-8")
    except UnicodeDecodeError:
        refuse_cursor()


def refuse_cursor() -> NoReturn:
    """Raise InvalidRequestError for a cursor that no list gave."""
    text = "is none that this list gave; begin again without it"
    refuse([Fault("/query/cursor", "unknown_cursor", text)])


def _typed(text: str, schema: Schema) -> Any:
    if schema.get("type") == "integer" and text.removeprefix("-").isdecimal() and len(text) < 19:
        return int(text)
    return text
