"""An OpenID Connect provider for tests: real redirects, real signatures, and whoever the test says."""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey


class Provider(ThreadingHTTPServer):
    """Lets everybody in as the person in `claims`, without asking; `key` signs, `published` is what it says that it signs with."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.claims: dict[str, Any] = {}
        self.key = self.published = RSAKey.generate_key(
            2048, {"kid": "of this test", "use": "sig", "alg": "RS256"}
        )
        self.grants: dict[str, dict[str, str]] = {}

    @property
    def url(self) -> str:
        """The issuer."""
        return f"http://localhost:{self.server_port}"


@contextmanager
def provider() -> Iterator[Provider]:
    """Run a provider."""
    with Provider() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(place.query).items()}
        url = self.server.url
        if place.path == "/.well-known/openid-configuration":
            self._answer(
                {
                    "issuer": url,
                    "authorization_endpoint": f"{url}/authorize",
                    "token_endpoint": f"{url}/token",
                    "jwks_uri": f"{url}/keys",
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                }
            )
        elif place.path == "/keys":
            self._answer({"keys": [self.server.published.as_dict(private=False)]})
        elif place.path == "/authorize":
            code = secrets.token_urlsafe(16)
            self.server.grants[code] = query
            self.send_response(302)
            self.send_header(
                "Location",
                f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}",
            )
            self.end_headers()
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        grant = self.server.grants.pop(form["code"][0], None)
        basic = base64.b64encode(b"dash:secret of the client").decode()
        if grant is None or self.headers["Authorization"] != f"Basic {basic}":
            self.send_error(400)
            return
        now = int(time.time())
        claims = {
            "iss": self.server.url,
            "aud": grant["client_id"],
            "sub": "1",
            "iat": now,
            "exp": now + 600,
            "nonce": grant["nonce"],
        }
        token = jwt.encode(
            {"alg": "RS256", "kid": "of this test"}, claims | self.server.claims, self.server.key
        )
        self._answer(
            {
                "access_token": "none needed",
                "token_type": "Bearer",
                "expires_in": 600,
                "id_token": token,
            }
        )

    def _answer(self, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """Say nothing."""
