"""Failures as RFC 9457 problem documents. The only place that knows HTTP status numbers of errors.

Every error a client can see passes through here, those of the framework included, so that no
other shape of error exists. A problem never holds sample content, secrets or paths; of an
unforeseen failure it holds nothing but the request id that the log line carries too.
"""

from __future__ import annotations

import json
import math
from typing import Any

from starlette.responses import Response

from imprint import errors
from imprint.errors import BusyError, ImprintError, InvalidInputError, RequestError

MEDIA_TYPE = "application/problem+json"

_STATUS: dict[type[Exception], int] = {
    errors.InvalidInputError: 422,
    errors.SampleTooLargeError: 413,
    errors.UnsupportedMediaError: 415,
    errors.VectorError: 424,
    errors.EncoderMismatchError: 409,
    errors.EmptyClassError: 422,
    errors.OpposedSupportsError: 422,
    errors.MalformedRequestError: 400,
    errors.RequestTooLargeError: 413,
    errors.RequestMediaError: 415,
    errors.SlowRequestError: 408,
    errors.MethodNotAllowedError: 405,
    errors.NotFoundError: 404,
    errors.ConflictError: 409,
    errors.DeniedError: 403,
    errors.InvalidKeyError: 401,
    errors.BusyError: 503,
    errors.OverloadedError: 429,
    errors.RateLimitedError: 429,
    errors.CorruptError: 500,
}

# What each status means to a caller: the words of the OpenAPI document and of docs/http.md.
MEANINGS: dict[int, str] = {
    400: "The body cannot be read as what its Content-Type says.",
    401: "No key, or one that is unknown, expired or revoked: all read the same.",
    403: "The key lacks the scope, the tenant's limit is reached, or nothing may be written here.",
    404: "There is no such thing, or it is not yours: the two read the same.",
    405: "The address exists, but not for this method.",
    408: "The body did not arrive in time.",
    409: "The request clashes with what is already there.",
    413: "The body or the sample is too large.",
    415: "The Content-Type, or the kind of sample, is not read here.",
    422: "The request was understood and refused; errors and checks say why and what to do.",
    424: "The encoder failed on this sample.",
    429: "Asked too often, or too much is waiting already; come back after Retry-After seconds.",
    500: "Something broke. The request id finds it in the server's log.",
    503: "Not now: starting, stopping, disk full or too slow. Come back after Retry-After seconds.",
}


class InternalError(ImprintError):
    """Something nobody foresaw; the log holds where, under the request id."""

    code = "internal_error"


def status_of(kind: type[Exception]) -> int:
    """HTTP status of a kind of failure: that of its nearest listed ancestor, else 500."""
    return next((_STATUS[one] for one in kind.__mro__ if one in _STATUS), 500)


def problem_of(error: ImprintError, request_id: str | None = None) -> dict[str, Any]:
    """Shape a failure as a problem document."""
    shape: dict[str, Any] = {
        "type": f"/docs#{error.code}",
        "title": title_of(type(error)),
        "status": status_of(type(error)),
        "detail": str(error),
        "code": error.code,
        "errors": _faults(error),
    }
    if isinstance(error, InvalidInputError) and error.checks:
        shape["checks"] = [check._asdict() for check in error.checks]
    if request_id is not None:
        shape["request_id"] = request_id
    return shape


def problem_response(error: ImprintError, request_id: str) -> Response:
    """Answer a failure."""
    shape = problem_of(error, request_id)
    headers = {}
    if isinstance(error, BusyError):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    if isinstance(error, errors.InvalidKeyError):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, errors.SlowRequestError | errors.RequestTooLargeError):
        # What is left of the body is not worth reading.
        headers["Connection"] = "close"
    content = json.dumps(shape, ensure_ascii=False).encode()
    return Response(content, shape["status"], headers, MEDIA_TYPE)


def title_of(kind: type[ImprintError]) -> str:
    """The first sentence of an error's docstring: what this code always means."""
    return (kind.__doc__ or kind.code).strip().split("\n", maxsplit=1)[0].split(". ")[0].rstrip(".")


def every_error() -> list[type[ImprintError]]:
    """All kinds of failure with a code of their own, by code."""
    found: dict[str, type[ImprintError]] = {InternalError.code: InternalError}
    waiting: list[type[ImprintError]] = [ImprintError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind is not ImprintError and kind.__module__ == errors.__name__:
            found[kind.code] = kind
    return [found[code] for code in sorted(found)]


def _faults(error: ImprintError) -> list[dict[str, str]]:
    faults: list[dict[str, str]] = []
    if isinstance(error, RequestError):
        faults += [fault._asdict() for fault in error.faults]
    if isinstance(error, InvalidInputError):
        faults += [
            {
                "pointer": "",
                "code": check.name,
                "message": f"measured {check.score:g}, limit {check.limit:g}",
                "hint": check.hint,
            }
            for check in error.checks
            if check.verdict == "reject"
        ]
    return faults
