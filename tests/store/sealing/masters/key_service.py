"""A key service on this machine that speaks as much of the AWS KMS protocol as is used.

It checks every signature with botocore's own signer, binds the encryption context, and can be told
to fail.
"""

from __future__ import annotations

import base64
import json
import os
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as TheirCredentials
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from imprint.store.sealing.masters.sigv4 import Credentials

if TYPE_CHECKING:
    from collections.abc import Iterator

MINE = Credentials("AKIDEXAMPLE", "a secret access key", "a session token")
REGION = "eu-central-1"


class KeyService:
    """Master keys by id; `failures` are answers given before anything else works."""

    def __init__(self) -> None:
        self.keys: dict[str, AESGCM] = {}
        self.failures: list[tuple[int, str]] = []
        self.calls: list[str] = []
        self.address = ""

    def key(self, name: str) -> str:
        self.keys[name] = AESGCM(os.urandom(32))
        return name

    def answer(self, action: str, words: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.calls.append(action)
        if self.failures:
            status, kind = self.failures.pop(0)
            return status, {"__type": f"com.amazonaws.kms#{kind}", "message": "told to"}
        cipher = self.keys.get(words["KeyId"])
        if cipher is None:
            return 400, {"__type": "NotFoundException"}
        bound = json.dumps(words["EncryptionContext"], sort_keys=True).encode()
        if action == "Encrypt":
            nonce = os.urandom(12)
            blob = nonce + cipher.encrypt(nonce, base64.b64decode(words["Plaintext"]), bound)
            return 200, {"CiphertextBlob": base64.b64encode(blob).decode()}
        blob = base64.b64decode(words["CiphertextBlob"])
        try:
            plain = cipher.decrypt(blob[:12], blob[12:], bound)
        except InvalidTag:
            return 400, {"__type": "InvalidCiphertextException"}
        return 200, {"Plaintext": base64.b64encode(plain).decode()}


def signed_rightly(handler: BaseHTTPRequestHandler, body: bytes) -> bool:
    """Sign the same request with botocore and compare."""
    given = handler.headers["Authorization"]
    names = given.split("SignedHeaders=")[1].split(",")[0].split(";")
    kept = {name: handler.headers[name] for name in names}
    request = AWSRequest("POST", f"http://{kept['host']}/", data=body, headers=kept)
    request.context["timestamp"] = kept["x-amz-date"]
    theirs = SigV4Auth(TheirCredentials(MINE.access_key, MINE.secret_key), "kms", REGION)
    text = theirs.string_to_sign(request, theirs.canonical_request(request))
    return given.endswith(f"Signature={theirs.signature(text, request)}")


@contextmanager
def running() -> Iterator[KeyService]:
    service = KeyService()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kind, _, action = self.headers["X-Amz-Target"].partition(".")
            assert kind == "TrentService"
            if signed_rightly(self, body):
                status, said = service.answer(action, json.loads(body))
            else:
                status, said = 400, {"__type": "InvalidSignatureException"}
            words = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(words)))
            self.end_headers()
            self.wfile.write(words)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    service.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
