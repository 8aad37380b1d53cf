"""Stands before every request: known hosts only, no writing from foreign pages, and headers that browsers enforce."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked by orchestrators and by Prometheus under whatever address they know; they tell nothing about patients."""

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)

_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

_HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(slots=True)
class Guard:
    """ASGI middleware; plain ASGI, because event streams pass through it unbuffered."""

    app: ASGIApp
    allowed_hosts: tuple[str, ...]
    https: bool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = self._with_headers(scope, send)
        if scope["path"] in PROBES:
            await self.app(scope, receive, answer)
            return
        inner = TrustedHostMiddleware(self._only_own_pages, allowed_hosts=self.allowed_hosts, www_redirect=False)
        await inner(scope, receive, answer)

    async def _only_own_pages(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] in _HARMLESS or is_own_page(Headers(scope=scope), self.https):
            await self.app(scope, receive, send)
            return
        refusal = "the request does not come from a page of this server (Origin or Sec-Fetch-Site needed)"
        await JSONResponse({"detail": refusal}, status_code=403)(scope, receive, send)

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if self.https:
                    headers.setdefault("Strict-Transport-Security", "max-age=31536000")
                if scope["path"].startswith(("/api/", "/dicom-web/")):
                    headers["Cache-Control"] = "no-store"
            await send(message)

        return answer


def is_own_page(headers: Headers, https: bool) -> bool:
    """Return whether a writing request comes from our own page or from a program with an API token.

    A browser sends no bearer token by itself, so a request that has one cannot be forged by a foreign page. Without
    Origin and Sec-Fetch-Site nothing is known, and that is refused.
    """
    if headers.get("authorization", "").lower().startswith("bearer "):
        return True
    fetched = headers.get("sec-fetch-site")
    if fetched is not None and fetched != "same-origin":
        return False
    origin = headers.get("origin")
    if origin is None:
        return fetched == "same-origin"
    return origin.lower() == f"{'https' if https else 'http'}://{headers.get('host', '').lower()}"
