"""A small real OpenID provider on the loopback: discovery, keys, code flow with PKCE, signed ID tokens."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import RedirectResponse
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.browser.serving import running
from tests.running import free_port

CLIENT_ID, CLIENT_SECRET = "acuity-client", "a secret: with +/% in it"


@dataclass
class LocalProvider:
    """Logs everybody in at once as `claims` say; what a test changes is wrong with the next token."""

    url: str
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    declines: bool = False
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    published: RSAKey | None = None
    asked: dict[str, dict[str, str]] = field(default_factory=dict)

    def token(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        claims = {
            "iss": self.url, "sub": "7c1e", "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": asked["nonce"],
            "preferred_username": "ann", "roles": ["staff", "radiologists"], **self.claims,
        }  # fmt: skip
        return jwt.encode({"alg": "RS256", "kid": self.key.kid, **self.header}, claims, self.key)


@contextmanager
def local_provider() -> Iterator[LocalProvider]:
    port = free_port()
    provider, app = LocalProvider(f"http://127.0.0.1:{port}"), FastAPI()

    @app.get("/.well-known/openid-configuration")
    def described() -> dict[str, str]:
        ends = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys",
                "end_session_endpoint": "logout"}  # fmt: skip
        return {"issuer": provider.url} | {name: f"{provider.url}/{path}" for name, path in ends.items()}

    @app.get("/keys")
    def keys() -> dict[str, Any]:
        return {"keys": [(provider.published or provider.key).as_dict(private=False)]}

    @app.get("/authorize")
    def authorize(request: Request) -> RedirectResponse:
        asked = dict(request.query_params)
        assert (asked["response_type"], asked["client_id"], asked["code_challenge_method"]) == (
            "code",
            CLIENT_ID,
            "S256",
        )
        assert "openid" in asked["scope"].split()
        if provider.declines:
            return RedirectResponse(
                f"{asked['redirect_uri']}?{urlencode({'error': 'access_denied', 'state': asked['state']})}"
            )
        code = secrets.token_urlsafe(8)
        provider.asked[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}")

    @app.post("/token")
    async def token(request: Request) -> dict[str, Any]:
        form = {name: one[0] for name, one in parse_qs((await request.body()).decode()).items()}
        asked = provider.asked.pop(form["code"], None)
        if asked is None or asked["code_challenge"] != create_s256_code_challenge(form["code_verifier"]):
            raise HTTPException(400, {"error": "invalid_grant"})
        assert asked["redirect_uri"] == form["redirect_uri"]
        assert request.headers["authorization"].startswith("Basic ")
        return {"access_token": "opaque", "token_type": "Bearer", "id_token": provider.token(asked)}

    with running(app, port):
        yield provider
