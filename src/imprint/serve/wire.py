"""From bytes on the wire to checked fields and sources, and from values to JSON bytes."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, Any, NoReturn

from imprint.errors import (
    Fault,
    ImprintError,
    InvalidRequestError,
    MalformedRequestError,
    ModalityMismatchError,
    RequestMediaError,
)
from imprint.serve.schemas.check import COMPONENTS, faults_of
from imprint.types import RawItem

if TYPE_CHECKING:
    from imprint.serve.schemas.parts import Schema

JSON = "application/json"
FORM = "multipart/form-data"
_METADATA_BYTES = 16 * 1024
_MOST_PARTS = 16
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9.+-]{1,60}/[A-Za-z0-9.+-]{1,60}")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def to_json(value: Any) -> bytes:
    """Write JSON as it goes over the wire."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def media_type_of(content_type: str | None) -> str:
    """The bare media type of a Content-Type header, in lower case."""
    return (content_type or "").partition(";")[0].strip().lower()


def read_json(body: bytes) -> Any:
    """Read one JSON document.

    Raises:
        MalformedRequestError: it is none, or holds text that no encoding can write.
    """
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_not_json)
        if _SURROGATE.search(body):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        raise MalformedRequestError("the body is not valid UTF-8 text") from None
    except RecursionError:
        raise MalformedRequestError("the body is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise MalformedRequestError(
            f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except ValueError:
        raise MalformedRequestError("the body holds a number that JSON cannot hold") from None
    return value


def checked(value: Any, schema: str) -> dict[str, Any]:
    """Return an object that keeps a schema of COMPONENTS.

    Raises:
        InvalidRequestError: with every departure.
    """
    faults = faults_of(value, COMPONENTS[schema])
    if faults:
        refuse(faults)
    fields: dict[str, Any] = value
    return fields


def refuse(faults: list[Fault]) -> NoReturn:
    """Raise InvalidRequestError for these faults, the first of them in its message."""
    first = faults[0]
    place = first.pointer or "the body"
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    raise InvalidRequestError(f"{place}: {first.message}{more}", tuple(faults[:100]))


def read_fields(
    body: bytes, content_type: str | None, schema: str, form_schema: str | None = None
) -> dict[str, Any]:
    """Read and check a JSON object, or a form where the call takes one.

    Raises:
        RequestMediaError, MalformedRequestError, InvalidRequestError: what was wrong.
    """
    media_type = media_type_of(content_type)
    if media_type == JSON:
        return checked(read_json(body), schema)
    if media_type == FORM and form_schema is not None:
        return _form_fields(read_form(body, content_type or ""), form_schema)
    also = f" or {FORM}" if form_schema else ""
    raise RequestMediaError(f"send Content-Type {JSON}{also}; got {media_type[:60] or 'none'}")


def source_of(fields: dict[str, Any], modality: str) -> RawItem | str:
    """The sample in checked fields: text for a collection of text, else bytes.

    Raises:
        ModalityMismatchError: text for a collection of another modality. It is refused here
            because the library would take a string for a path.
    """
    if "text" in fields:
        if modality != "text":
            raise ModalityMismatchError(
                f"text was sent to a collection of {modality}; send the file, or data as a "
                "base64 data URI"
            )
        return str(fields["text"])
    if "file" in fields:
        item: RawItem = fields["file"]
        return item
    return read_data_uri(fields["data"])


def read_data_uri(uri: str, pointer: str = "/data") -> RawItem:
    """Read a base64 data URI that matches DATA_PATTERN. Raises InvalidRequestError."""
    head, _, encoded = uri.partition(",")
    try:
        content = base64.b64decode(encoded.replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error:
        refuse([Fault(pointer, "wrong_form", "the base64 part cannot be decoded")])
    return RawItem(content, media_type_of(head.removeprefix("data:")))


def checked_metadata(metadata: dict[str, Any] | None) -> dict[str, Any] | None:
    """Refuse metadata that is larger than what is kept with a support."""
    if metadata is not None and len(to_json(metadata)) > _METADATA_BYTES:
        refuse([Fault("/metadata", "wrong_length", f"is larger than {_METADATA_BYTES:,} bytes")])
    return metadata


def read_form(body: bytes, content_type: str) -> dict[str, RawItem]:
    """Split a multipart form into its parts by field name.

    Raises:
        MalformedRequestError: it is no form.
        InvalidRequestError: a field is sent twice, or there are too many.
    """
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import MultipartParser, parse_options_header

    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise MalformedRequestError("the Content-Type of a form must name its boundary")
    parts = _Parts()
    try:
        parser = MultipartParser(boundary, parts.callbacks(), max_size=float("inf"))
        parser.write(body)
        parser.finalize()
    except ImprintError:
        raise
    except (FormParserError, ValueError):
        raise MalformedRequestError("the body is not a multipart form with that boundary") from None
    if not parts.ended:
        raise MalformedRequestError("the form ends before its last boundary; send it whole")
    return parts.found


class _Parts:
    """Gathers the parts of one form as the parser meets them."""

    def __init__(self) -> None:
        self.found: dict[str, RawItem] = {}
        self.ended = False
        self._headers: dict[bytes, bytes] = {}
        self._name = b""
        self._value = b""
        self._content: list[bytes] = []

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._on_name,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header,
            "on_part_data": lambda chunk, start, end: self._content.append(chunk[start:end]),
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        self._headers, self._content, self._name, self._value = {}, [], b"", b""

    def _on_name(self, chunk: bytes, start: int, end: int) -> None:
        self._name += chunk[start:end]

    def _on_value(self, chunk: bytes, start: int, end: int) -> None:
        self._value += chunk[start:end]

    def _on_header(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _end(self) -> None:
        from python_multipart.multipart import parse_options_header

        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if not name:
            raise MalformedRequestError("a part of the form has no name")
        if name in self.found or len(self.found) >= _MOST_PARTS:
            refuse([Fault(f"/{name[:100]}", "sent_twice", "is sent twice, or too many fields are")])
        self.found[name] = RawItem(b"".join(self._content), self._media_type())

    def _finish(self) -> None:
        self.ended = True

    def _media_type(self) -> str | None:
        declared = self._headers.get(b"content-type", b"").decode("latin-1")
        media_type = media_type_of(declared)
        if media_type == "application/octet-stream" or not _MEDIA_TYPE.fullmatch(media_type):
            return None
        return media_type


def _form_fields(parts: dict[str, RawItem], schema: str) -> dict[str, Any]:
    """Give every part the type its schema asks for, then check as JSON is checked."""
    properties = COMPONENTS[schema]["properties"]
    fields: dict[str, Any] = {}
    for name, item in parts.items():
        fields[name] = "" if name == "file" else _form_value(name, item, properties.get(name, {}))
    checked(fields, schema)
    if "file" in parts:
        fields["file"] = parts["file"]
    return fields


def _form_value(name: str, item: RawItem, schema: Schema) -> Any:
    try:
        text = item.content.decode("utf-8")
    except UnicodeDecodeError:
        refuse([Fault(f"/{name[:100]}", "wrong_form", "is not valid UTF-8 text")])
    if schema.get("type") == "integer" and re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    return _form_object(name, text) if schema.get("type") == "object" else text


def _form_object(name: str, text: str) -> Any:
    try:
        return read_json(text.encode())
    except MalformedRequestError as error:
        refuse([Fault(f"/{name}", "wrong_form", str(error))])


def _not_json(constant: str) -> NoReturn:
    raise ValueError(constant)
