"""The caller's own tenant: its keys, what it holds and may hold."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from imprint.errors import MissingScopeError
from imprint.serve.auth import DEFAULT_SCOPES
from imprint.serve.endpoint import (
    PAGE_PARAMETERS,
    Call,
    Endpoint,
    Example,
    json_response,
    page_response,
    read_cursor,
    refuse_cursor,
)
from imprint.serve.schemas.parts import TEXT, page_of, record, ref
from imprint.serve.wire import JSON
from imprint.store.quota.limits import QUOTAS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from starlette.responses import Response

    from imprint.serve.auth import Caller
    from imprint.store.ports import KeyRow

# A secret is shown once; nothing between here and the caller may keep it.
_UNKEPT = {"Cache-Control": "no-store"}


def list_keys(call: Call) -> Response:
    """List the tenant's keys, without secrets, newest first."""
    keys = call.workspace.keys(tenant=call.known_caller().tenant)
    begin = _begin(keys, read_cursor(call.query.get("cursor")))
    shown = keys[begin : begin + call.query["limit"]]
    more = len(keys) > begin + len(shown)
    now = call.workspace.clock()
    return page_response([_shape(key, now) for key in shown], shown[-1].key_id if more else None)


def create_key(call: Call) -> Response:
    """Make a key of the tenant. Its secret is in this answer and nowhere else."""
    fields = call.fields("NewKey")
    caller = call.known_caller()
    scopes = fields.get("scopes", list(DEFAULT_SCOPES))
    _refuse_more_than_own(caller, scopes)
    now, lasts_s = call.workspace.clock(), fields.get("expires_in_s")
    until = None if lasts_s is None else now + timedelta(seconds=lasts_s)
    made = call.workspace.create_key(fields["name"], scopes, tenant=caller.tenant, expires_at=until)
    return _shown_once(*made, now)


def rotate_key(call: Call) -> Response:
    """Make a key like this one; the old one expires after the overlap."""
    fields = call.fields("KeyRotation")
    caller = call.known_caller()
    own = {key.key_id: key for key in call.workspace.keys(tenant=caller.tenant)}
    if call.path["key"] in own:
        _refuse_more_than_own(caller, own[call.path["key"]].scopes)
    overlap = timedelta(seconds=fields.get("overlap_s", 3600))
    made = call.workspace.rotate_key(call.path["key"], overlap=overlap, tenant=caller.tenant)
    return _shown_once(*made, call.workspace.clock())


def revoke_key(call: Call) -> Response:
    """Make a key of the tenant invalid from now on."""
    call.workspace.revoke_key(call.path["key"], tenant=call.known_caller().tenant)
    return json_response({"revoked": call.path["key"]})


def _begin(keys: Sequence[KeyRow], after: str | None) -> int:
    if after is None:
        return 0
    place = next((i for i, key in enumerate(keys) if key.key_id == after), None)
    return refuse_cursor() if place is None else place + 1


def _refuse_more_than_own(caller: Caller, scopes: Sequence[str]) -> None:
    beyond = sorted(set(scopes) - caller.scopes)
    if beyond:
        raise MissingScopeError(
            f"the asking key lacks {' and '.join(beyond)}, and a key can hand on only what it has; "
            "make this one with `imprint keys create` where the workspace is"
        )


def _shown_once(key: KeyRow, secret: str, now: datetime) -> Response:
    return json_response({**_shape(key, now), "secret": secret}, 201, _UNKEPT)


def _shape(key: KeyRow, now: datetime) -> dict[str, Any]:
    ended = "expired" if key.revoked_at is None else "revoked"
    return {
        "key_id": key.key_id,
        "name": key.name,
        "scopes": list(key.scopes),
        "state": "valid" if key.is_valid(now) else ended,
        "created_at": key.created_at.isoformat(),
        "expires_at": None if key.expires_at is None else key.expires_at.isoformat(),
        "revoked_at": None if key.revoked_at is None else key.revoked_at.isoformat(),
    }


def show_usage(call: Call) -> Response:
    """Show what the tenant holds, and its limits; null is none."""
    tenant = call.known_caller().tenant
    limits = call.workspace.quotas.limits(tenant)
    shown = {name: limits.get(name) for name in QUOTAS}
    return json_response({"used": call.workspace.quotas.usage(tenant)._asdict(), "limits": shown})


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/usage",
        show_usage,
        "Show what the tenant holds, and its limits",
        {200: (JSON, ref("Usage"))},
        scopes=("teach", "classify", "admin"),
        note="Bytes are those of raw samples, forgotten ones included until they are erased.",
    ),
    Endpoint(
        "GET",
        "/v1/keys",
        list_keys,
        "List the tenant's keys",
        {200: (JSON, page_of("Key"))},
        scopes=("admin",),
        parameters=PAGE_PARAMETERS,
    ),
    Endpoint(
        "POST",
        "/v1/keys",
        create_key,
        "Make a key",
        {201: (JSON, ref("KeyWithSecret"))},
        takes={JSON: ref("NewKey")},
        scopes=("admin",),
        lane="teach",
        body="held",
        examples=[Example(JSON, {"name": "camera-7", "scopes": ["classify"]})],
        note="Without `scopes` it may teach and classify. No key can hand on a scope it lacks.",
    ),
    Endpoint(
        "POST",
        "/v1/keys/{key}:rotate",
        rotate_key,
        "Replace a key",
        {201: (JSON, ref("KeyWithSecret"))},
        takes={JSON: ref("KeyRotation")},
        scopes=("admin",),
        lane="teach",
        body="held",
        problems=(404,),
        examples=[Example(JSON, {"overlap_s": 3600})],
    ),
    Endpoint(
        "DELETE",
        "/v1/keys/{key}",
        revoke_key,
        "Revoke a key",
        {200: (JSON, record({"revoked": TEXT}, ["revoked"]))},
        scopes=("admin",),
        lane="teach",
        problems=(404,),
    ),
)
