"""JSON Schemas of keys and limits."""

from __future__ import annotations

from typing import Any

from imprint.serve.auth import SCOPES
from imprint.serve.schemas.parts import COLLECTION_PATTERN, COUNT, TEXT, Schema, listed, record
from imprint.store.quota.limits import HOLDINGS, QUOTAS

_HUNDRED_YEARS_S = 100 * 365 * 86_400
_COUNT_OR_NULL: Schema = {"type": ["integer", "null"], "minimum": 0}
_MOMENT_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}
_SCOPES: Schema = listed({"type": "string", "enum": list(SCOPES)}, minItems=1, maxItems=len(SCOPES))
_KEY: dict[str, Any] = {
    "key_id": TEXT,
    "name": TEXT,
    "scopes": listed(TEXT),
    "state": {"type": "string", "enum": ["valid", "expired", "revoked"]},
    "created_at": {"type": "string", "format": "date-time"},
    "expires_at": _MOMENT_OR_NULL,
    "revoked_at": _MOMENT_OR_NULL,
}
_ALWAYS = list(_KEY)

ACCESS: dict[str, Schema] = {
    "NewKey": record(
        {
            "name": {"type": "string", "pattern": COLLECTION_PATTERN},
            "scopes": _SCOPES,
            "expires_in_s": {
                "type": "integer",
                "minimum": 60,
                "maximum": _HUNDRED_YEARS_S,
                "description": "Without it the key works until it is revoked.",
            },
        },
        ["name"],
    ),
    "KeyRotation": record(
        {
            "overlap_s": {
                "type": "integer",
                "minimum": 0,
                "maximum": 365 * 86_400,
                "default": 3600,
                "description": "How long the old key goes on working.",
            }
        },
        [],
    ),
    "Key": record(_KEY, _ALWAYS),
    "Usage": record(
        {
            "used": record(dict.fromkeys(HOLDINGS, COUNT), list(HOLDINGS)),
            "limits": record(dict.fromkeys(QUOTAS, _COUNT_OR_NULL), list(QUOTAS)),
        },
        ["used", "limits"],
    ),
    "KeyWithSecret": record(
        {**_KEY, "secret": {"type": "string", "description": "Shown this once."}},
        [*_ALWAYS, "secret"],
    ),
}
