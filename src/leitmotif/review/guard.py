"""Access control of the review page: checks before every request.

- ``Host`` must name this server. A web page that rebinds its own name to this machine's address
(DNS
  rebinding) sends its own name there.
- Requests that change something must come from the page itself: ``Origin`` equals ``Host``, and the
  body is JSON, which a form of another site cannot send.
- If tokens are in use, each request carries a token, in a cookie that the first link sets or as
  ``Authorization: Bearer``. A token belongs to one reviewer, so nobody can decide as another.
"""

import hmac
import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 64 * 1024
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
REVIEWER = "leitmotif.reviewer"
"""Key of the request's scope for the owner of the token; the value is None if no token is
required."""

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
    """Accepted host names of the server, in lower case and without port."""
    any_address: bool = False
    """Also accept any numeric address, because a rebound name is never numeric."""
    tokens: Mapping[str, str] = field(default_factory=dict)
    """Reviewer by token; if it is empty, no token is required."""

    def reviewer_of(self, token: str) -> str | None:
        """Return the owner of a token, in the same time for wrong and right tokens."""
        found = None
        for known, reviewer in self.tokens.items():
            if hmac.compare_digest(known.encode(), token.encode()):
                found = reviewer
        return found


class Guard:
    """ASGI middleware that passes requests allowed by ``access``, and sets the security headers."""

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

        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(send_guarded)
            return
        await self.app(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> "Answer | None":
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._knows(host):
            return _refuse(
                421,
                "this server is not known by that name",
                found=f"Host: {host}",
                expected=" or ".join(sorted(self.access.hosts)),
                fix="use the link that `leitmotif review` printed, or add --host-name",
            )
        if scope["method"] not in _READING and (refusal := _foreign(headers, host)):
            return refusal
        return self._identify(scope, headers, host)

    def _knows(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
            if name in self.access.hosts:
                return True
            return self.access.any_address and bool(ipaddress.ip_address(name))
        except ValueError:
            return False

    def _identify(self, scope: Scope, headers: Headers, host: str) -> "Answer | None":
        scope[REVIEWER] = None
        if not self.access.tokens:
            return None
        query = parse_qs(scope["query_string"].decode("latin-1"))
        link = query.pop("token", [""])[0]
        if link and scope["method"] in _READING and self.access.reviewer_of(link):
            # Move the token from the address, which histories and logs keep, into a cookie.
            rest = urlencode(query, doseq=True)
            path = scope["path"] + (f"?{rest}" if rest else "")
            cookie = f"{_cookie_name(host)}={link}; Path=/; HttpOnly; SameSite=Strict"
            return _redirect(path, cookie)
        reviewer = self.access.reviewer_of(_sent_token(headers, host))
        if reviewer is None:
            return _refuse(
                401,
                "this page needs its token",
                fix="open the link with ?token=… that `leitmotif review` printed",
            )
        scope[REVIEWER] = reviewer
        return None


class Answer:
    """A short answer that does not reach the application."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        self.status, self.headers, self.body = status, headers, body

    async def __call__(self, send: Send) -> None:
        """Send it."""
        pairs = {**self.headers, "content-length": str(len(self.body)), "cache-control": "no-store"}
        headers = [(name.encode("latin-1"), text.encode("latin-1")) for name, text in pairs.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def _foreign(headers: Headers, host: str) -> Answer | None:
    """Refuse a change that may come from a page of another site."""
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


def _refuse(status: int, what: str, **details: str | None) -> Answer:
    error = {"what": what, "found": None, "expected": None, "fix": None, **details}
    body = json.dumps({"error": error}).encode()
    return Answer(status, {"content-type": "application/json"}, body)


def _redirect(path: str, cookie: str) -> Answer:
    # A path that starts with two slashes would name another host.
    return Answer(303, {"location": "/" + path.lstrip("/"), "set-cookie": cookie})


def _cookie_name(host: str) -> str:
    """Name of the token's cookie. It contains the port, because browsers share cookies between
    ports."""
    return f"leitmotif-{urlsplit(f'//{host}').port or 80}"


def _sent_token(headers: Headers, host: str) -> str:
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return bearer.strip()
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(_cookie_name(host))
    except CookieError:
        return ""
    return cookie.value if cookie else ""
