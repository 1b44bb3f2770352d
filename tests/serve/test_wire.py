"""Bytes on the wire, for any bytes."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imprint.errors import InvalidRequestError, MalformedRequestError, ModalityMismatchError
from imprint.serve.schemas.check import COMPONENTS, faults_of
from imprint.serve.wire import read_data_uri, read_form, read_json, source_of, to_json

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON_VALUES)
def test_json_comes_back_as_it_was(value: Any) -> None:
    assert read_json(to_json(value)) == value
    assert read_json(json.dumps(value).encode()) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_json_or_malformed(body: bytes) -> None:
    try:
        to_json(read_json(body))
    except MalformedRequestError:
        return


@given(st.binary(max_size=300), st.sampled_from(["framed", "bare"]))
def test_any_bytes_are_a_form_or_refused(body: bytes, shape: str) -> None:
    if shape == "framed":
        body = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + body + b"\r\n--x--"
    try:
        parts = read_form(body, "multipart/form-data; boundary=x")
    except (MalformedRequestError, InvalidRequestError):
        return
    assert all(isinstance(item.content, bytes) for item in parts.values())


@given(st.binary(max_size=500).filter(lambda content: b"\r\n--x" not in content))
def test_a_file_in_a_form_comes_through_byte_for_byte(content: bytes) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n'
    body = head + b"Content-Type: Image/PNG; q=1\r\n\r\n" + content + b"\r\n--x--\r\n"
    parts = read_form(body, "multipart/form-data; boundary=x")
    assert parts["file"].content == content
    assert parts["file"].media_type == "image/png"


@given(st.binary(max_size=200))
def test_a_data_uri_comes_back_byte_for_byte(content: bytes) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        uri = "data:image/png;base64," + encode(content).decode()
        item = read_data_uri(uri)
        assert (item.content, item.media_type) == (content, "image/png")


@pytest.mark.parametrize("encoded", ["A", "AB=C", "A" * 5, "QQ==="])
def test_broken_base64_is_refused(encoded: str) -> None:
    with pytest.raises(InvalidRequestError):
        read_data_uri(f"data:image/png;base64,{encoded}")


@pytest.mark.parametrize("modality", ["image", "audio"])
def test_text_is_no_source_for_other_modalities(modality: str) -> None:
    with pytest.raises(ModalityMismatchError):
        source_of({"text": "somewhere/on/this/machine.png"}, modality)


@given(JSON_VALUES)
def test_checking_any_value_ends_and_points_into_it(value: Any) -> None:
    for name in COMPONENTS:
        for fault in faults_of(value, COMPONENTS[name]):
            assert fault.pointer == "" or fault.pointer.startswith("/")


@pytest.mark.parametrize(
    ("value", "schema", "code"),
    [
        (True, {"type": "integer"}, "wrong_type"),
        (1.5, {"type": "integer"}, "wrong_type"),
        (None, {"type": ["string", "null"]}, None),
        (5, {"type": "number", "maximum": 4}, "out_of_range"),
        (-1, {"type": "integer", "minimum": 0}, "out_of_range"),
        ("ab", {"type": "string", "maxLength": 1}, "wrong_length"),
        ("", {"type": "string", "minLength": 1}, "wrong_length"),
        ("a\n", {"type": "string", "pattern": "^a$"}, "wrong_form"),
        ("b", {"type": "string", "enum": ["a"]}, "not_allowed"),
    ],
)
def test_the_parts_of_json_schema_that_are_used(
    value: Any, schema: dict[str, Any], code: str | None
) -> None:
    assert [fault.code for fault in faults_of(value, schema)] == ([code] if code else [])
