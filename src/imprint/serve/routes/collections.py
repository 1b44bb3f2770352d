"""Collections: make, list, look at, change the policy of, drop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imprint.errors import CollectionExistsError, CollectionNotFoundError
from imprint.serve.endpoint import (
    PAGE_PARAMETERS,
    Call,
    Endpoint,
    Example,
    json_response,
    page_response,
    read_cursor,
)
from imprint.serve.schemas.parts import TEXT, page_of, record, ref
from imprint.serve.wire import JSON

if TYPE_CHECKING:
    from starlette.responses import Response


def create_collection(call: Call) -> Response:
    """Make a collection. One that exists is a conflict, even with the same settings."""
    fields = call.fields("NewCollection")
    _refuse_existing(call, fields["name"])
    made = call.workspace.collection(
        fields["name"],
        modality=fields["modality"],
        encoder=fields.get("encoder"),
        policy=fields.get("policy"),
    )
    return json_response(made.describe(), 201, {"Location": f"/v1/collections/{made.name}"})


def _refuse_existing(call: Call, name: str) -> None:
    try:
        call.workspace.collection(name)
    except CollectionNotFoundError:
        return
    raise CollectionExistsError(
        "a collection of that name exists; use it, change its policy with PATCH, or drop it first"
    )


def list_collections(call: Call) -> Response:
    """List collections by name."""
    after = read_cursor(call.query.get("cursor")) or ""
    limit = call.query["limit"]
    names = [name for name in call.workspace.collections() if name > after]
    shown = [call.workspace.collection(name).describe() for name in names[:limit]]
    return page_response(shown, names[limit - 1] if len(names) > limit else None)


def show_collection(call: Call) -> Response:
    """Show one collection."""
    return json_response(call.collection().describe())


def report_on_collection(call: Call) -> Response:
    """Judge a collection from its supports."""
    return json_response(call.collection().report().to_json())


def change_policy(call: Call) -> Response:
    """Change the named fields of the policy; the others stay."""
    collection = call.collection()
    fields = call.fields("PolicyChange")
    collection.set_policy({**collection.policy.to_json(), **fields["policy"]})
    return json_response(call.collection().describe())


def drop_collection(call: Call) -> Response:
    """Remove a collection with everything in it."""
    name = call.path["collection"]
    call.workspace.drop(name)
    return json_response({"dropped": name})


_ONE = "/v1/collections/{collection}"
ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/collections",
        create_collection,
        "Make a collection",
        {201: (JSON, ref("Collection"))},
        takes={JSON: ref("NewCollection")},
        scopes=("teach",),
        lane="teach",
        body="held",
        problems=(404, 409, 424),
        examples=[Example(JSON, {"name": "intents", "modality": "text"})],
    ),
    Endpoint(
        "GET",
        "/v1/collections",
        list_collections,
        "List collections, by name",
        {200: (JSON, page_of("Collection"))},
        parameters=PAGE_PARAMETERS,
    ),
    Endpoint(
        "GET",
        _ONE,
        show_collection,
        "Show a collection",
        {200: (JSON, ref("Collection"))},
        problems=(404,),
    ),
    Endpoint(
        "GET",
        f"{_ONE}/report",
        report_on_collection,
        "Judge a collection: expected accuracy, confusions, what to teach next",
        {200: (JSON, ref("Report"))},
        lane="teach",
        problems=(404,),
        note="Estimated from the supports alone; takes seconds for thousands of them.",
    ),
    Endpoint(
        "PATCH",
        _ONE,
        change_policy,
        "Change a collection's policy",
        {200: (JSON, ref("Collection"))},
        takes={JSON: ref("PolicyChange")},
        scopes=("admin",),
        lane="teach",
        body="held",
        problems=(404, 409),
        examples=[Example(JSON, {"policy": {"false_accept_rate": 0.01}})],
    ),
    Endpoint(
        "DELETE",
        _ONE,
        drop_collection,
        "Drop a collection with everything in it",
        {200: (JSON, record({"dropped": TEXT}, ["dropped"]))},
        scopes=("admin",),
        lane="teach",
        problems=(404,),
    ),
)
