"""A master key that never leaves a key service speaking AWS KMS's JSON protocol over HTTPS.

Only `Encrypt` and `Decrypt` are used, on keys of 32 bytes, a few times per process: data keys are
unwrapped once and kept in memory. The tenant and the purpose are bound as encryption context.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import re
import ssl
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from imprint.errors import InvalidOptionError, KeyServiceError, MasterKeyWrongError
from imprint.store.sealing.masters.sigv4 import Credentials, signed_headers

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT_S = 5.0
N_TRIES = 3
_LARGEST_ANSWER_BYTES = 1024 * 1024
_REGION_OF_ARN = re.compile(r"arn:[\w-]+:kms:([\w-]+):")
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
# What the service says when the wrapped key is not of this master key or this context.
_WRONG = {"InvalidCiphertextException", "IncorrectKeyException", "InvalidKeyUsageException"}
_SERVER_ERROR = 500


class KmsMasterKey:
    """Implements KeyWrapper with a key service. One connection per call: calls are rare."""

    def __init__(
        self,
        key: str,
        *,
        region: str | None = None,
        endpoint: str | None = None,
        credentials: Callable[[], Credentials] | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """Name the key by ARN or id; nothing is asked of the service yet.

        Raises:
            InvalidOptionError: no region is known, or the endpoint is not HTTPS.
        """
        found = _REGION_OF_ARN.match(key)
        self._region = region or (found[1] if found else os.environ.get("AWS_REGION", ""))
        if not self._region:
            raise InvalidOptionError(
                "the region of the key service is not known; give the key's ARN or set "
                "IMPRINT_KMS_REGION"
            )
        self._key = key
        self.key_id = f"kms:{key}"
        self._address = urlsplit(endpoint or f"https://kms.{self._region}.amazonaws.com")
        self._check_address()
        self._credentials = credentials or found_credentials
        self._clock = clock or (lambda: datetime.now(UTC))

    def wrap(self, key: bytes, context: dict[str, str]) -> bytes:
        """See KeyWrapper."""
        plain = base64.b64encode(key).decode()
        said = self._call("Encrypt", {"Plaintext": plain, "EncryptionContext": context})
        return _bytes_of(said, "CiphertextBlob")

    def unwrap(self, wrapped: bytes, context: dict[str, str]) -> bytes:
        """See KeyWrapper."""
        blob = base64.b64encode(wrapped).decode()
        said = self._call("Decrypt", {"CiphertextBlob": blob, "EncryptionContext": context})
        return _bytes_of(said, "Plaintext")

    def _check_address(self) -> None:
        local = self._address.scheme == "http" and self._address.hostname in _LOOPBACK
        if not (self._address.hostname and (self._address.scheme == "https" or local)):
            raise InvalidOptionError(
                "the endpoint of the key service must be an https address (http on this machine "
                "only)"
            )

    def _call(self, action: str, words: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps({"KeyId": self._key, **words}).encode()
        failure = "no answer"
        for _ in range(N_TRIES):
            try:
                status, said = self._post(action, body)
            except (OSError, HTTPException, ValueError) as error:
                failure = type(error).__name__
                continue
            if status == 200:
                return said
            failure = str(said.get("__type", status)).rpartition("#")[2]
            if failure in _WRONG:
                raise MasterKeyWrongError(
                    f"the key service cannot unwrap a data key of this workspace ({failure}): "
                    "another master key wrapped it, or it was changed; nothing was written"
                )
            if status < _SERVER_ERROR and "Throttling" not in failure:
                break
        raise KeyServiceError(
            f"the key service did not {action.lower()} a data key ({failure}); check its address, "
            "credentials and permissions; nothing was written",
            retry_after_s=5.0,
        )

    def _post(self, action: str, body: bytes) -> tuple[int, dict[str, Any]]:
        headers = {
            "Host": self._address.netloc,
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"TrentService.{action}",
        }
        signed = signed_headers(
            headers,
            body,
            credentials=self._credentials(),
            region=self._region,
            service="kms",
            now=self._clock(),
        )
        connection = self._connection()
        try:
            connection.request("POST", "/", body, signed)
            response = connection.getresponse()
            said = json.loads(response.read(_LARGEST_ANSWER_BYTES) or b"{}")
            if not isinstance(said, dict):
                raise HTTPException
            return response.status, said
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        host, port = str(self._address.hostname), self._address.port
        if self._address.scheme == "http":
            return HTTPConnection(host, port, timeout=TIMEOUT_S)
        secure = ssl.create_default_context()
        return HTTPSConnection(host, port, timeout=TIMEOUT_S, context=secure)


def found_credentials() -> Credentials:
    """Credentials from the environment, or wherever boto3 finds them when it is installed.

    Raises:
        InvalidOptionError: there are none.
    """
    access_key = os.environ.get("AWS_ACCESS_KEY_ID")
    secret_key = os.environ.get("AWS_SECRET_ACCESS_KEY")
    if access_key and secret_key:
        return Credentials(access_key, secret_key, os.environ.get("AWS_SESSION_TOKEN"))
    try:
        found = importlib.import_module("boto3").Session().get_credentials()
    except ImportError:
        found = None
    if found is None:
        raise InvalidOptionError(
            "there are no credentials for the key service; set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or install 'imprint[kms]' to use a profile or a machine's role"
        )
    frozen = found.get_frozen_credentials()
    return Credentials(frozen.access_key, frozen.secret_key, frozen.token)


def _bytes_of(said: dict[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode(cast("str", said[name]), validate=True)
    except (KeyError, TypeError, ValueError):
        raise KeyServiceError(
            f"the key service answered without {name}; is this address a key service?"
        ) from None
