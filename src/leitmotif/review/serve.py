"""``leitmotif review``: the page's server, from its address to its end."""

import ipaddress
import logging
import re
import secrets
import socket
import subprocess
import threading
import unicodedata
import webbrowser
from collections.abc import Callable, Mapping, Sequence

import uvicorn
from pydantic import TypeAdapter, ValidationError

from leitmotif.errors import ReviewError
from leitmotif.review.guard import LOOPBACK, Access
from leitmotif.review.server import application
from leitmotif.review.session import Session
from leitmotif.tables.decisions import Reviewer

_TOKEN_BYTES = 24
_ANY = {"0.0.0.0", "::"}


def access_for(
    host: str, reviewers: Sequence[str], *, host_names: Sequence[str] = (), token: bool = False
) -> Access:
    """Decide who may talk to a server that listens on ``host``.

    On loopback nobody else can reach it, and no token is demanded unless ``token`` is set. Any
    other address demands one for each reviewer.
    """
    names = {name.lower() for name in host_names} | LOOPBACK
    if host in _ANY:
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    else:
        names.add(host.lower())
    open_to_others = not _is_loopback(host)
    tokens = (
        {secrets.token_urlsafe(_TOKEN_BYTES): reviewer for reviewer in reviewers}
        if token or open_to_others
        else {}
    )
    return Access(frozenset(names), any_address=host in _ANY, tokens=tokens)


def links(host: str, port: int, reviewers: Sequence[str], access: Access) -> Mapping[str, str]:
    """Return each reviewer's link, with their token where one is demanded."""
    name = socket.gethostname() if host in _ANY else host
    base = f"http://{f'[{name}]' if ':' in name else name}:{port}"
    tokens = {reviewer: token for token, reviewer in access.tokens.items()}
    if not tokens:
        return {reviewer: f"{base}/as/{reviewer}/review" for reviewer in reviewers}
    return {reviewer: f"{base}/?token={tokens[reviewer]}" for reviewer in reviewers}


def git_name() -> str:
    """Return git's user.name as a reviewer's: "Ana Gómez" is ana-gomez.

    Raises ReviewError where git has none.
    """
    asked = subprocess.run(
        ["git", "config", "user.name"], capture_output=True, text=True, check=False
    )
    letters = unicodedata.normalize("NFKD", asked.stdout.strip().lower())
    ascii_only = "".join(letter for letter in letters if not unicodedata.combining(letter))
    name = re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")[:40]
    if not name:
        raise ReviewError(
            "it is not known who decides",
            found="no user.name in git's configuration",
            fix="add --reviewer NAME",
        )
    return name


def check_reviewers(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names; raises ReviewError for one that cannot name a log, or stands twice."""
    adapter = TypeAdapter[str](Reviewer)
    for name in names:
        try:
            adapter.validate_python(name)
        except ValidationError:
            raise ReviewError(
                "this name cannot be that of a reviewer",
                found=repr(name),
                expected="1 to 40 of a-z, 0-9, - and _, beginning with a letter or a digit",
                fix="use another name with --reviewer",
            ) from None
    if len(set(names)) < len(names):
        raise ReviewError("a reviewer is named twice", found=", ".join(names))
    return tuple(names)


def serve(
    session: Session,
    *,
    reviewers: Sequence[str],
    host: str,
    port: int,
    access: Access,
    ready: Callable[[Mapping[str, str]], None],
    open_browser: bool = False,
) -> None:
    """Serve the page until interrupted; ``ready`` gets each reviewer's link once it listens.

    Port 0 takes any free one. Raises ReviewError if the address cannot be had.
    """
    listener = _listen(host, port)
    addresses = links(host, listener.getsockname()[1], reviewers, access)
    server = uvicorn.Server(
        uvicorn.Config(
            application(session, reviewers=tuple(reviewers), access=access),
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            proxy_headers=False,
            http="h11",
            h11_max_incomplete_event_size=16 * 1024,
        )
    )
    logging.getLogger("uvicorn.error").addFilter(_without_traceback)
    ready(addresses)
    if open_browser:
        first = next(iter(addresses.values()))
        threading.Timer(0.3, webbrowser.open, [first]).start()
    try:
        server.run(sockets=[listener])
    finally:
        session.index.close()


def _without_traceback(record: logging.LogRecord) -> bool:
    """Say in a line that a client broke off, or sent no HTTP; it has had its answer by then."""
    error = record.exc_info[1] if record.exc_info else None
    if type(error).__module__.startswith("h11."):
        record.msg, record.args = f"Malformed HTTP request: {error}", ()
        record.exc_info = record.exc_text = None
    return True


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ReviewError(
            f"cannot listen on {host}, port {port}",
            found=error.strerror or str(error),
            fix="use another --port or --host; --port 0 selects a free port",
        ) from error
    return listener


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
