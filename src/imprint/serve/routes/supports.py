"""Supports and labels: teach, list, look at, fetch raw, forget."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import Response

from imprint.errors import NotFoundError, SupportNotFoundError
from imprint.serve.endpoint import (
    PAGE_PARAMETERS,
    Call,
    Endpoint,
    Example,
    json_response,
    page_response,
    read_cursor,
    read_header,
    refuse_cursor,
)
from imprint.serve.schemas.parts import SAMPLE_FILE, page_of, ref
from imprint.serve.wire import FORM, JSON, checked_metadata, source_of

if TYPE_CHECKING:
    from imprint.serve.schemas.parts import Schema
    from imprint.types import Support

_COLLECTION = "/v1/collections/{collection}"
_IDEMPOTENCY_KEY: Schema = {
    "type": "string",
    "pattern": "^[!-~]{1,200}$",
    "description": "Repeating a request with its key gives the first receipt again.",
}
_FILTERS: dict[str, Schema] = {
    "label": {"type": "string", "description": "Only this class."},
    "state": {"type": "string", "enum": ["active", "quarantined"]},
}


def teach(call: Call) -> Response:
    """Teach one example; 201 says that it is durable and answers from now on."""
    key = read_header(call.headers, "Idempotency-Key", _IDEMPOTENCY_KEY)
    fields = call.fields("NewSupport", "NewSupportForm")
    collection = call.collection()
    receipt = collection.teach(
        fields["label"],
        source_of(fields, collection.modality),
        metadata=checked_metadata(fields.get("metadata")),
        origin="http",
        idempotency_key=key,
        expires_at=_end_of(call, fields.get("expires_in_s")),
    )
    call.metrics.taught(receipt.state)
    place = f"/v1/collections/{collection.name}/supports/{quote(receipt.support_id)}"
    status = 201 if receipt.state == "active" else 202
    return json_response(receipt.to_json(), status, {"Location": place})


def _end_of(call: Call, lasts_s: float | None) -> datetime | None:
    return None if lasts_s is None else call.workspace.clock() + timedelta(seconds=lasts_s)


def list_supports(call: Call) -> Response:
    """List supports in teaching order."""
    limit = call.query["limit"]
    page = _page(call, limit)
    last = page[-1].support_id if len(page) == limit else None
    return page_response([support.to_json() for support in page], last)


def _page(call: Call, limit: int) -> list[Support]:
    try:
        return call.collection().supports(
            label=call.query.get("label") or None,
            state=call.query.get("state"),
            limit=limit,
            after=read_cursor(call.query.get("cursor")),
        )
    except SupportNotFoundError:
        refuse_cursor()


def show_support(call: Call) -> Response:
    """Show one support; no content."""
    return json_response(call.collection().support(call.path["support"]).to_json())


def forget_support(call: Call) -> Response:
    """Forget one support."""
    collection = call.collection()
    n_removed = collection.forget(support_id=call.path["support"])
    return json_response({"n_removed": n_removed, "sequence": collection.sequence})


def fetch_raw(call: Call) -> Response:
    """Give the raw sample back. The read is audited."""
    item = call.collection().raw(call.path["support"])
    if item is None:
        raise NotFoundError("this collection keeps embeddings only; there is no raw sample")
    # What a stranger taught must never run in the browser of whoever reviews it.
    guards = {
        "Content-Disposition": "attachment",
        "Content-Security-Policy": "sandbox",
        "Cache-Control": "no-store",
    }
    return Response(item.content, 200, guards, item.media_type or "application/octet-stream")


def list_labels(call: Call) -> Response:
    """List classes and how many active supports each has, by label."""
    after = read_cursor(call.query.get("cursor"))
    limit = call.query["limit"]
    counts = sorted(call.collection().labels().items())
    rest = [pair for pair in counts if after is None or pair[0] > after]
    shown = [{"label": label, "n_supports": count} for label, count in rest[:limit]]
    return page_response(shown, rest[limit - 1][0] if len(rest) > limit else None)


def forget_label(call: Call) -> Response:
    """Forget a class with all its supports."""
    collection = call.collection()
    n_removed = collection.forget(label=call.path["label"])
    return json_response({"n_removed": n_removed, "sequence": collection.sequence})


ENDPOINTS = (
    Endpoint(
        "POST",
        f"{_COLLECTION}/supports",
        teach,
        "Teach one example of a class",
        {201: (JSON, ref("Receipt")), 202: (JSON, ref("Receipt"))},
        takes={JSON: ref("NewSupport"), FORM: ref("NewSupportForm")},
        scopes=("teach",),
        lane="teach",
        body="held",
        headers={"Idempotency-Key": _IDEMPOTENCY_KEY},
        problems=(404, 409, 424),
        examples=[Example(JSON, {"label": "refund", "text": "I want my money back"})],
        note="201: the support is durable and answers from now on. 202: it is held for review. "
        "The same sample under the same label gives the same receipt again; under another label "
        "it is a conflict.",
    ),
    Endpoint(
        "GET",
        f"{_COLLECTION}/supports",
        list_supports,
        "List supports, in teaching order",
        {200: (JSON, page_of("Support"))},
        parameters={**_FILTERS, **PAGE_PARAMETERS},
        problems=(404,),
    ),
    Endpoint(
        "GET",
        f"{_COLLECTION}/supports/{{support}}",
        show_support,
        "Show a support, without its content",
        {200: (JSON, ref("Support"))},
        problems=(404,),
    ),
    Endpoint(
        "DELETE",
        f"{_COLLECTION}/supports/{{support}}",
        forget_support,
        "Forget one support",
        {200: (JSON, ref("Removed"))},
        scopes=("teach",),
        lane="teach",
        problems=(404,),
    ),
    Endpoint(
        "GET",
        f"{_COLLECTION}/supports/{{support}}/raw",
        fetch_raw,
        "Fetch the raw sample of a support",
        {200: ("*/*", SAMPLE_FILE)},
        scopes=("read_raw",),
        lane="teach",
        problems=(404,),
        note="Every read is written to the audit log.",
    ),
    Endpoint(
        "GET",
        f"{_COLLECTION}/labels",
        list_labels,
        "List classes, by label",
        {200: (JSON, page_of("LabelCount"))},
        parameters=PAGE_PARAMETERS,
        problems=(404,),
    ),
    Endpoint(
        "DELETE",
        f"{_COLLECTION}/labels/{{label}}",
        forget_label,
        "Forget a class with all its supports",
        {200: (JSON, ref("Removed"))},
        scopes=("teach",),
        lane="teach",
        problems=(404,),
    ),
)
