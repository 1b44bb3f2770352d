"""The application: routes, the way of one request through them, and its life cycle."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import secrets
import time
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route

from imprint.errors import (
    AddressNotFoundError,
    ImprintError,
    MethodNotAllowedError,
    NotReadyError,
    OverloadedError,
    RateLimitedError,
)
from imprint.flows.custody.sweeping import sweep
from imprint.flows.judging.staleness import stalest_prototype_s
from imprint.serve.access.doorkeeper import Doorkeeper
from imprint.serve.auth import Caller, KeyRing, credential_of
from imprint.serve.connection import CLIENT_CERTIFICATE
from imprint.serve.endpoint import Call, Endpoint, read_query
from imprint.serve.limits import BodyReader, Lane, Limits
from imprint.serve.metrics import Metrics
from imprint.serve.problems import InternalError, problem_response
from imprint.serve.routes import ENDPOINTS
from imprint.serve.routes.health import Readiness
from imprint.store.quota.rates import RateBook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from imprint.flows.workspace import Workspace

log = logging.getLogger("imprint.serve")
access_log = logging.getLogger("imprint.access")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MOST_CALLERS = 1024
_PROBE_S = 2.0
# The first probe may have to fetch and build the encoder.
_FIRST_PROBE_S = 900.0
_LONGEST_PAUSE_S = 30.0
# Expired supports stop answering at once anyway; rounds write it down and erase what is due.
_FIRST_ROUND_S, _ROUND_S = 60.0, 900.0


class _Segment(StringConvertor):
    """A part of an address without ':', so that a name never swallows a `:verb`."""

    regex = "[^/:]+"


register_url_convertor("segment", _Segment())


class Service:
    """What all requests share: the workspace, lanes, keys, counters."""

    def __init__(
        self,
        workspace: Workspace,
        limits: Limits,
        access: str | Path | None = None,
        rates: RateBook | None = None,
    ) -> None:
        self.workspace = workspace
        self.limits = limits
        self.metrics = Metrics()
        self.readiness = Readiness(workspace)
        self.keys = KeyRing(Doorkeeper(workspace, access).find)
        self.reader = BodyReader(limits)
        self.rates = rates or RateBook(None)
        self.lanes = {
            "answer": self._lane("answer", limits.n_answering),
            "teach": self._lane("teach", limits.n_teaching),
            "import": self._lane("import", 2, 6),
            "probe": self._lane("probe", 1, 8),
        }
        self._callers: dict[str, Workspace] = {}

    def _lane(self, name: str, n_threads: int, n_waiting: int | None = None) -> Lane:
        waiting = self.limits.n_waiting if n_waiting is None else n_waiting
        lane = Lane(name, n_threads, waiting, self.metrics.work)
        self.metrics.watch(lane)
        return lane

    async def respond(self, endpoint: Endpoint, request: Request) -> Response:
        """Take one request from its key to its response.

        Raises:
            ImprintError: it was refused; the caller of this makes the problem document.
        """
        caller = await self._caller(endpoint, request)
        self._count(caller)
        workspace = self.workspace if caller is None else self._workspace_of(caller)
        query = read_query(request.query_params.multi_items(), endpoint.parameters)
        parts = (workspace, self.metrics, self.limits, self.readiness, request.path_params, query)
        call = Call(*parts, request.headers, caller)
        if endpoint.body == "spooled":
            with await self.reader.spool(request.stream(), _declared(request)) as spool:
                return await self._run(endpoint, replace(call, spool=spool), self.limits.import_s)
        if endpoint.body == "none":
            return await self._run(endpoint, call, self.limits.work_s)
        body = await self.reader.read(request.stream(), _declared(request))
        self.metrics.body(len(body))
        try:
            return await self._run(endpoint, replace(call, body=body), self.limits.work_s)
        finally:
            self.reader.release(len(body))

    async def warm_up(self) -> None:
        """Probe the encoder on a worker until it answers."""
        pause_s = 1.0
        while not self.readiness.passed:
            try:
                await self.lanes["answer"].run(self.readiness.probe, _FIRST_PROBE_S)
            except ImprintError as error:
                log.warning("not ready: %s", error.code)
            except Exception as error:  # noqa: BLE001 - the server stays up and says it is not ready
                _log_failure(error, "warm-up")
            if not self.readiness.passed:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def keep_house(self) -> None:
        """Sweep every quarter of an hour, as every collection's policy says."""
        await asyncio.sleep(_FIRST_ROUND_S)
        while True:
            try:
                await self.lanes["import"].run(self.make_round, self.limits.import_s)
            except ImprintError as error:
                log.warning("no sweep: %s", error.code)
            except Exception as error:  # noqa: BLE001 - the next round may do better
                _log_failure(error, "sweep")
            await asyncio.sleep(_ROUND_S)

    def make_round(self) -> None:
        """Take out what has expired, erase what is past its retention, measure the rest."""
        sweep(self.workspace)
        self.metrics.staleness(stalest_prototype_s(self.workspace))

    def close(self) -> None:
        """Finish the work under way and stop the threads."""
        for lane in self.lanes.values():
            lane.close()
        self.rates.close()

    def _count(self, caller: Caller | None) -> None:
        """Count a request of a tenant that may only ask so often. Raises RateLimitedError."""
        if caller is None or (caller.per_minute is None and caller.per_day is None):
            return
        wait_s = self.rates.take(caller.tenant, caller.per_minute, caller.per_day, time.time())
        if wait_s > 0:
            minute = "no" if caller.per_minute is None else f"{caller.per_minute:,}"
            day = "no" if caller.per_day is None else f"{caller.per_day:,}"
            raise RateLimitedError(
                f"the limit of requests is reached ({minute} a minute, {day} a day); come back",
                retry_after_s=wait_s,
            )

    async def _caller(self, endpoint: Endpoint, request: Request) -> Caller | None:
        if endpoint.scopes is None:
            return None
        certificate = request.scope.get("state", {}).get(CLIENT_CERTIFICATE)
        credential = credential_of(request.headers.get("authorization"), certificate)
        caller = self.keys.remembered(credential)
        if caller is None:
            # Nobody's tenant yet: a flood of invented keys waits behind itself, not before others.
            caller = await self.lanes["answer"].run(
                lambda: self.keys.look_up(credential), self.limits.work_s
            )
        request.scope["imprint.key_id"] = caller.key_id
        caller.need(endpoint.scopes)
        return caller

    def _workspace_of(self, caller: Caller) -> Workspace:
        found = self._callers.get(caller.key_id)
        if found is None:
            if len(self._callers) >= _MOST_CALLERS:
                self._callers.clear()
            found = self.workspace.tenant(caller.tenant, actor=caller.key_id)
            self._callers[caller.key_id] = found
        return found

    async def _run(self, endpoint: Endpoint, call: Call, timeout_s: float) -> Response:
        if endpoint.lane == "loop":
            return endpoint.handler(call)
        lane = self.lanes[endpoint.lane]
        if endpoint.lane != "probe":
            tenant = "" if call.caller is None else call.caller.tenant
            return await lane.run(lambda: endpoint.handler(call), timeout_s, tenant)
        try:
            return await lane.run(lambda: endpoint.handler(call), _PROBE_S)
        except OverloadedError:
            raise NotReadyError("earlier probes still wait for the store") from None


class Doorway:
    """Outermost layer: names the request, times it, logs it, and lets no bare failure out."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event of the ASGI server."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_at = time.perf_counter()
        request_id = _request_id(scope)
        scope["imprint.request_id"] = request_id
        status = 0

        async def named_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                named = (b"x-request-id", request_id.encode())
                safe = (b"x-content-type-options", b"nosniff")
                message = {**message, "headers": [*message["headers"], named, safe]}
            await send(message)

        try:
            await self._app(scope, receive, named_send)
        except Exception as error:  # noqa: BLE001 - nothing may leave here in another shape
            _log_failure(error, request_id)
            if not status:
                failed = problem_response(_internal(), request_id)
                await failed(scope, receive, named_send)
        self._note(scope, status, time.perf_counter() - began_at)

    def _note(self, scope: Scope, status: int, took_s: float) -> None:
        route = scope.get("imprint.route", "none")
        self._service.metrics.request(route, scope["method"], status, took_s)
        access_log.info(
            "%s %s %d %.1f ms request=%s key=%s",
            scope["method"] if scope["method"].isalpha() else "?",
            route,
            status,
            took_s * 1e3,
            scope["imprint.request_id"],
            scope.get("imprint.key_id", "-"),
        )


def make_app(
    workspace: Workspace,
    limits: Limits | None = None,
    *,
    access: str | Path | None = None,
    rates: RateBook | None = None,
    close_workspace: bool = False,
) -> Starlette:
    """Make the application over an open workspace.

    Its life cycle warms the encoder in the background; on shutdown it finishes what is under way
    and, with `close_workspace`, flushes the prediction log and closes the store. `access` names
    the file that says which tokens and certificates open what; without it only keys do. `rates`
    counts requests for all processes of the workspace; without it each counts for itself.

    Raises:
        InvalidOptionError: the access file cannot be used.
    """
    service = Service(workspace, limits or Limits(), access, rates)

    @contextlib.asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:  # noqa: ARG001 - the framework's signature
        tasks = [asyncio.create_task(service.warm_up()), asyncio.create_task(service.keep_house())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.to_thread(service.close)
            if close_workspace:
                await asyncio.to_thread(workspace.close)

    # The routes are plain ones from our own table: what the framework would read out of
    # signatures, the table says, and checking and writing stay off the event loop.
    app = Starlette(
        routes=_routes(service),
        middleware=[Middleware(Doorway, service=service)],
        exception_handlers={HTTPException: _framework_problem},
        lifespan=life,
    )
    app.router.redirect_slashes = False
    app.state.service = service
    return app


def _routes(service: Service) -> list[Route]:
    # Addresses that end in a verb come first: a label may hold a ':' and must not swallow it.
    ordered = sorted(ENDPOINTS, key=lambda endpoint: ":" not in endpoint.path)
    return [
        Route(
            re.sub(r"\{(?!label\})(\w+)\}", r"{\1:segment}", endpoint.path),
            _asked(service, endpoint),
            methods=[endpoint.method],
        )
        for endpoint in ordered
    ]


def _asked(service: Service, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def ask(request: Request) -> Response:
        scope = request.scope
        scope["imprint.route"] = endpoint.path
        request_id = scope["imprint.request_id"]
        try:
            return await service.respond(endpoint, request)
        except ImprintError as error:
            service.metrics.refused(error.code)
            return problem_response(error, request_id)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:  # noqa: BLE001 - a bug must not leave in another shape either
            _log_failure(error, request_id)
            service.metrics.refused(InternalError.code)
            return problem_response(_internal(), request_id)

    return ask


async def _framework_problem(request: Request, error: Exception) -> Response:
    request_id = request.scope.get("imprint.request_id", "")
    if getattr(error, "status_code", 404) != 405:
        what = "there is nothing at this address; /docs lists what there is"
        return problem_response(AddressNotFoundError(what), request_id)
    allowed = _allowed(request)
    text = f"this address takes {', '.join(allowed)}"
    response = problem_response(MethodNotAllowedError(text), request_id)
    response.headers["Allow"] = ", ".join(allowed)
    return response


def _allowed(request: Request) -> list[str]:
    """Methods of the first address that matches: a label may look like another one's verb."""
    matching = [
        route
        for route in request.app.router.routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is Match.PARTIAL
    ]
    return sorted(
        method
        for route in matching
        if route.path == matching[0].path
        for method in route.methods or ()
    )


def _declared(request: Request) -> int | None:
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given: str = value.decode("latin-1")
            if _REQUEST_ID.fullmatch(given):
                return given
    return secrets.token_hex(8)


def _internal() -> InternalError:
    return InternalError("something broke; report it with this request_id")


def _log_failure(error: BaseException, request_id: str) -> None:
    """Log where it broke. Messages of unforeseen exceptions may hold content and stay out."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
    log.error("request=%s %s at %s", request_id, type(error).__name__, where)
