"""Who may talk to the review page: checks that stand before every request.

- ``Host`` has to name this server. A web page that rebinds its own name to this machine's address
  (DNS rebinding) sends its own name there.
- What changes something has to come from the page itself: ``Origin`` equals ``Host``, and the body
  is JSON, which no form of another site can send.
- Where tokens are in use, each request carries one, in a cookie that the first link sets or as
  ``Authorization: Bearer``. A token belongs to one reviewer, and nobody can decide as another.
"""

import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 64 * 1024
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
REVIEWER = "leitmotif.reviewer"
"""Key of the request's scope: who the token belongs to; None where no token is demanded."""

_UNKEPT = {"cache-control": "no-store"}
_READING = frozenset({"GET", "HEAD"})
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Access:
    """The rules of one server."""

    hosts: frozenset[str] = LOOPBACK
    """Names by which the server may be addressed, in lower case, without port."""
    any_address: bool = False
    """Also accept any numeric address: a name that was rebound is not one."""
    tokens: Mapping[str, str] = field(default_factory=dict)
    """Reviewer by token; empty: no token is demanded."""

    def reviewer_of(self, token: str) -> str | None:
        """Return whose token this is; takes as long for a wrong one as for a right one."""
        owner = None
        for known, reviewer in self.tokens.items():
            if hmac.compare_digest(known.encode(), token.encode()):
                owner = reviewer
        return owner


class Guard:
    """ASGI middleware that lets through what ``access`` allows, and sets the security headers."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        answer = self._refusal(Request(scope)) or self.app
        await answer(scope, receive, send_guarded)

    def _refusal(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        if not self._knows(host):
            return _refuse(
                421,
                "this server is not known by that name",
                found=f"Host: {host}",
                expected=" or ".join(sorted(self.access.hosts)),
                fix="use the link that `leitmotif review` printed, or add --host-name",
            )
        if request.method not in _READING and (refusal := _foreign(request, host)):
            return refusal
        return self._identify(request, host)

    def _knows(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
            if name in self.access.hosts:
                return True
            return self.access.any_address and bool(ipaddress.ip_address(name))
        except ValueError:
            return False

    def _identify(self, request: Request, host: str) -> Response | None:
        request.scope[REVIEWER] = None
        if not self.access.tokens:
            return None
        link = request.query_params.get("token", "")
        if link and request.method in _READING and self.access.reviewer_of(link):
            # Into a cookie and out of the address, which histories and logs would keep.
            query = [item for item in request.query_params.multi_items() if item[0] != "token"]
            # A path that starts with two slashes would name another host.
            path = (
                "/" + request.scope["path"].lstrip("/") + (f"?{urlencode(query)}" if query else "")
            )
            cookie = f"{_cookie_name(host)}={link}; Path=/; HttpOnly; SameSite=Strict"
            return RedirectResponse(path, 303, {**_UNKEPT, "set-cookie": cookie})
        reviewer = self.access.reviewer_of(_sent_token(request, host))
        if reviewer is None:
            return _refuse(
                401,
                "this page needs its token",
                fix="open the link with ?token=… that `leitmotif review` printed",
            )
        request.scope[REVIEWER] = reviewer
        return None


def _foreign(request: Request, host: str) -> Response | None:
    """Refuse a change that another site's page may have sent."""
    headers = request.headers
    origin = headers.get("origin", "")
    if urlsplit(origin).netloc.lower() != host.lower() or not host:
        return _refuse(
            403,
            "this request does not come from the review page",
            found=f"Origin: {origin or 'none'}",
            expected=f"http://{host}",
        )
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return _refuse(403, "this request comes from another site")
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        return _refuse(415, "this is not JSON", found=media_type, expected="application/json")
    length = headers.get("content-length", "")
    if not length.isdecimal() or int(length) > LARGEST_BODY:
        return _refuse(
            413,
            "the request is too long, or does not say how long it is",
            found=length or "no Content-Length",
            expected=f"at most {LARGEST_BODY} bytes",
        )
    return None


def _refuse(status: int, what: str, **details: str | None) -> Response:
    error = {"what": what, "found": None, "expected": None, "fix": None, **details}
    return JSONResponse({"error": error}, status, _UNKEPT)


def _cookie_name(host: str) -> str:
    """Name the token's cookie; browsers share cookies between ports, so it names the port."""
    return f"leitmotif-{urlsplit(f'//{host}').port or 80}"


def _sent_token(request: Request, host: str) -> str:
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return bearer.strip()
    return request.cookies.get(_cookie_name(host), "")
