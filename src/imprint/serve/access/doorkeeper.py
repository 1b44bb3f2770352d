"""From a credential to its caller: a key of the workspace, a token, or a client certificate."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from imprint.errors import InvalidKeyError, InvalidOptionError
from imprint.serve.access.clock import SteadyClock
from imprint.serve.access.rules import NO_RULES, AccessRules, read_rules
from imprint.serve.access.tokens import TokenReader, looks_like_token
from imprint.serve.auth import CERTIFICATE, Caller

if TYPE_CHECKING:
    from imprint.flows.workspace import Workspace

log = logging.getLogger("imprint.serve")

_LOOK_AGAIN_S = 0.5


class Doorkeeper:
    """Finds callers. An access file that changes is read again: what it no longer names is out."""

    def __init__(self, workspace: Workspace, access: str | Path | None = None) -> None:
        self._workspace = workspace
        self.clock = SteadyClock(workspace.clock, workspace.newest_write())
        self._path = None if access is None else Path(access)
        self._rules: AccessRules = NO_RULES
        self._tokens: TokenReader | None = None
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._looked_at = float("-inf")
        if self._path is not None:
            self._stamp = _stamp(self._path)
            self._take(read_rules(self._path))

    def find(self, credential: str) -> Caller:
        """The caller a credential belongs to.

        Raises:
            InvalidKeyError: it belongs to nobody, or to nobody any more.
            NotReadyError: the identity provider's keys cannot be had.
        """
        self._look_again()
        caller = self._named(credential)
        limits = self._workspace.quotas.limits(caller.tenant)
        return replace(
            caller,
            per_minute=limits.get("requests_per_minute"),
            per_day=limits.get("requests_per_day"),
        )

    def _named(self, credential: str) -> Caller:
        if credential.startswith(CERTIFICATE):
            caller = self._rules.certificates.get(credential.removeprefix(CERTIFICATE))
            if caller is None:
                raise InvalidKeyError("the certificate is not one of the access file")
            return caller
        if self._tokens is not None and looks_like_token(credential):
            return self._tokens.caller(credential)
        row = self._workspace.key(credential, now=self.clock.now())
        return Caller(row.key_id, row.tenant, frozenset(row.scopes))

    def _look_again(self) -> None:
        if self._path is None or time.monotonic() - self._looked_at < _LOOK_AGAIN_S:
            return
        with self._lock:
            self._looked_at = time.monotonic()
            stamp = _stamp(self._path)
            if stamp == self._stamp:
                return
            self._stamp = stamp
            try:
                self._take(read_rules(self._path))
                log.info("the access file was read again")
            except InvalidOptionError as error:
                # Half-written or wrong: nobody it named before is let in on the old word.
                self._rules, self._tokens = NO_RULES, None
                log.error("tokens and certificates are refused: %s", error)  # noqa: TRY400

    def _take(self, rules: AccessRules) -> None:
        tokens = rules.tokens
        self._tokens = None if tokens is None else TokenReader(tokens, self.clock)
        self._rules = rules


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
