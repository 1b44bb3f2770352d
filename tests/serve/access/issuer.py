"""An identity provider of our own: it has keys, signs tokens, and publishes on loopback."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER = "https://login.example.org/"


class Issuer:
    """Entering publishes; `keys` are private keys by id, `published` the ids others can see."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {
            "rsa-1": rsa.generate_private_key(public_exponent=65537, key_size=2048),
            "ec-1": ec.generate_private_key(ec.SECP256R1()),
        }
        self.published = list(self.keys)
        self.n_asked = 0
        self._server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        issuer = self

        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.n_asked += 1
                content = json.dumps(issuer.document()).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_address[1]}/keys.json"

    def document(self) -> dict[str, Any]:
        return {"keys": [self._public(key_id) for key_id in self.published]}

    def token(self, key_id: str = "rsa-1", algorithm: str = "RS256", **changes: Any) -> str:
        """A token that is right in everything but the changes; a claim of None is left out."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": "imprint",
            "sub": "somebody@example.org",
            "tenant": "acme",
            "scope": "openid imprint.write",
            "iat": now - 5,
            "exp": now + 300,
        } | changes
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(kept, self.keys[key_id], algorithm, headers={"kid": key_id})

    def _public(self, key_id: str) -> dict[str, Any]:
        public = self.keys[key_id].public_key()
        kind = RSAAlgorithm if key_id.startswith("rsa") else ECAlgorithm
        return {**kind.to_jwk(public, as_dict=True), "kid": key_id, "use": "sig"}


def access_file(keys: str, more: str = "") -> str:
    """An access file that trusts this issuer."""
    return f"""
[oidc]
issuer = "{ISSUER}"
audience = "imprint"
keys = "{keys}"
tenant_claim = "tenant"

[oidc.scopes]
"imprint.write" = ["teach", "classify"]
"imprint.govern" = ["admin"]
{more}
"""
