"""Downloads files over HTTP with resumption and retries, and verifies them before they get their
name.

A transfer is written to ``NAME.partial`` and its origin to ``NAME.origin.json``. The next attempt,
in this run or a later run, continues it by a range request (RFC 9110, section 14) if the server
confirms with ``If-Range`` that the file has not changed. Otherwise the transfer starts again.
"""

import hashlib
import os
import random
import re
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from leitmotif.errors import CorpusError
from leitmotif.files import read_table, sha256_file, write_table
from leitmotif.tables.base import Sha256, Table
from leitmotif.work.progress import byte_progress

RETRIED_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
TIMEOUT = httpx.Timeout(60, connect=15)
LONGEST_WAIT = 60.0
"""Maximum time between two attempts in seconds."""
CHUNK = 1 << 20


class Origin(Table):
    """Origin of a file: the data for resuming it safely and for recognising it later."""

    url: str
    validator: str | None
    """Strong ETag or Last-Modified date; None if the server sends neither."""
    sha256: Sha256 | None
    """None until the transfer is complete."""


def download(
    url: str,
    target: Path,
    *,
    sha256: str | None,
    max_bytes: int,
    retries: int,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Download a file and return its SHA-256.

    An existing ``target`` is hashed. It stays if it has the expected hash, or without one, the hash
    that it had when it came from this URL. Otherwise it is moved to ``NAME.rejected`` and
    downloaded again.

    Parameters
    ----------
    url
        Address of the file.
    target
        Path of the result.
    sha256
        Expected hash; None if unknown.
    max_bytes
        Maximum size.
    retries
        Number of further attempts after a failure. The waits between them double from one second,
        with jitter.
    sleep
        Waits for a number of seconds.

    Raises
    ------
    CorpusError
        Names the file. It is raised if the server refuses it, if all attempts fail, if it is too
        large, or if it has another hash. In the last case it is kept as ``NAME.rejected``, and the
        next call starts from the beginning.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        found = sha256_file(target)
        if found == (sha256 or _recorded_sha256(target, url)):
            return found
        rejected = _reject(target, target)
        print(f"{target} is not what it should be and is now {rejected}", file=sys.stderr)

    with httpx.Client(
        follow_redirects=True,
        max_redirects=5,
        timeout=TIMEOUT,
        # Ranges count the bytes of the encoded body, so the body must not be compressed.
        headers={"Accept-Encoding": "identity", "User-Agent": "leitmotif"},
    ) as client:
        transfer = _Transfer(client, url, target, max_bytes)
        problem = ""
        for attempt in range(retries + 1):
            if attempt:
                wait = min(LONGEST_WAIT, 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)
                print(
                    f"{target.name}: {problem}; attempt {attempt + 1} of {retries + 1} "
                    f"in {wait:.0f} s",
                    file=sys.stderr,
                )
                sleep(wait)
            try:
                found, resumed = transfer.attempt()
            except _AttemptError as error:
                problem = str(error)
                continue
            if sha256 is None or found == sha256:
                transfer.complete(found)
                return found
            rejected = _reject(transfer.partial, target)
            problem = f"SHA-256 {found}, kept as {rejected}"
            if not resumed:
                raise CorpusError(
                    f"{target.name} from {url} is not the file that was promised",
                    found=problem,
                    expected=f"SHA-256 {sha256}",
                    fix="run again to download it afresh; if that does not help, the file at the "
                    "source was changed or damaged and must not be used",
                )
    raise CorpusError(
        f"{target.name} could not be downloaded from {url} in {retries + 1} attempt(s)",
        found=problem,
        fix=f"check the network and run again; what came is kept in {transfer.partial}",
    )


class _AttemptError(Exception):
    """An attempt failed, and a further attempt may succeed."""


@dataclass(frozen=True)
class _Transfer:
    client: httpx.Client
    url: str
    target: Path
    max_bytes: int

    @property
    def partial(self) -> Path:
        return self.target.with_name(self.target.name + ".partial")

    def attempt(self) -> tuple[str, bool]:
        """Complete the partial file; returns its SHA-256, and whether it was resumed."""
        held, validator = self._resumable()
        headers = {"Range": f"bytes={held}-", "If-Range": validator} if validator else {}
        try:
            with self.client.stream("GET", self.url, headers=headers) as response:
                self._check(response)
                if response.status_code == 416:
                    return self._already_complete(response, held), True
                start = self._start(response, held)
                return self._receive(response, start), start > 0
        except (httpx.UnsupportedProtocol, httpx.TooManyRedirects, httpx.InvalidURL) as error:
            raise CorpusError(
                f"{self.url} does not lead to a file", found=error, fix="check the address"
            ) from error
        except httpx.TransportError as error:
            raise _AttemptError(str(error) or type(error).__name__) from error

    def complete(self, sha256: str) -> None:
        """Give the partial file its name."""
        validator = _read_origin(self.target).validator
        _write_origin(self.target, Origin(url=self.url, validator=validator, sha256=sha256))
        self.partial.replace(self.target)

    def _resumable(self) -> tuple[int, str | None]:
        """Number of bytes in the partial file and the validator for them; (0, None) if unusable."""
        if not (self.partial.exists() and _origin_path(self.target).exists()):
            return 0, None
        origin, held = _read_origin(self.target), self.partial.stat().st_size
        if origin.url != self.url or origin.validator is None or held == 0:
            return 0, None
        return held, origin.validator

    def _check(self, response: httpx.Response) -> None:
        if self.url.startswith("https:") and response.url.scheme != "https":
            raise CorpusError(
                f"{self.url} is redirected to an address without TLS",
                found=response.url,
                expected="https",
                fix="check the address",
            )
        if response.status_code in RETRIED_STATUS:
            raise _AttemptError(f"status {response.status_code} {response.reason_phrase}")
        if response.status_code not in (200, 206, 416):
            raise CorpusError(
                f"{self.target.name} cannot be had from {self.url}",
                found=f"status {response.status_code} {response.reason_phrase}",
                expected="status 200",
                fix="check the address in params.yaml and the release it names",
            )
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise CorpusError(
                f"{self.url} comes compressed although that was ruled out",
                found=response.headers["Content-Encoding"],
                expected="identity",
                fix="use another mirror, or no proxy",
            )

    def _already_complete(self, response: httpx.Response, held: int) -> str:
        """SHA-256 of the partial file, if the server says that it is complete."""
        if response.headers.get("Content-Range") != f"bytes */{held}":
            self.partial.unlink(missing_ok=True)
            raise _AttemptError(f"the server has no byte {held} of the file")
        return sha256_file(self.partial)

    def _start(self, response: httpx.Response, held: int) -> int:
        """First byte in the response: ``held``, or 0 if the transfer starts again."""
        if response.status_code == 200:
            return 0
        content_range = response.headers.get("Content-Range", "")
        if not held or not content_range.startswith(f"bytes {held}-"):
            self.partial.unlink(missing_ok=True)
            raise _AttemptError(f"asked for bytes from {held} on, got {content_range!r}")
        return held

    def _receive(self, response: httpx.Response, start: int) -> str:
        total = _total(response, start)
        if total is not None:
            if total > self.max_bytes:
                raise self._too_large(total)
            self._check_room(total - start)
        digest = hashlib.sha256()
        if start:
            with self.partial.open("rb") as file:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
        else:
            # In this order, so that a run killed here never resumes the bytes of another version.
            self.partial.unlink(missing_ok=True)
            origin = Origin(url=self.url, validator=_validator(response), sha256=None)
            _write_origin(self.target, origin)
        received = start
        with (
            self.partial.open("ab") as file,
            byte_progress(self.target.name, total=total, done=start) as advance,
        ):
            for chunk in response.iter_raw():
                received += len(chunk)
                if received > self.max_bytes:
                    self.partial.unlink()
                    raise self._too_large(received)
                file.write(chunk)
                digest.update(chunk)
                advance(len(chunk))
            file.flush()
            os.fsync(file.fileno())
        if total is not None and received != total:
            raise _AttemptError(f"the server sent {received} of {total} bytes")
        return digest.hexdigest()

    def _check_room(self, needed: int) -> None:
        free = shutil.disk_usage(self.target.parent).free
        if free < needed:
            raise CorpusError(
                f"{self.target.name} does not fit on the disk of {self.target.parent}",
                found=f"{free / 1e9:.2f} GB free",
                expected=f"{needed / 1e9:.2f} GB for the download, and as much to unpack it",
                fix="free disk space and run again",
            )

    def _too_large(self, size: int) -> CorpusError:
        return CorpusError(
            f"{self.target.name} from {self.url} is larger than such a file may be",
            found=f"{size} bytes or more",
            expected=f"at most {self.max_bytes} bytes",
            fix="check the address",
        )


def _total(response: httpx.Response, start: int) -> int | None:
    """Size of the whole file in bytes; None if the headers do not tell it."""
    if match := re.fullmatch(r"bytes \d+-\d+/(\d+)", response.headers.get("Content-Range", "")):
        return int(match[1])
    length = response.headers.get("Content-Length")
    return start + int(length) if length is not None else None


def _validator(response: httpx.Response) -> str | None:
    etag: str | None = response.headers.get("ETag")
    if etag and not etag.startswith("W/"):
        return etag
    date: str | None = response.headers.get("Last-Modified")
    return date


def _recorded_sha256(target: Path, url: str) -> str | None:
    if not _origin_path(target).exists():
        return None
    origin = _read_origin(target)
    return origin.sha256 if origin.url == url else None


def _origin_path(target: Path) -> Path:
    return target.with_name(target.name + ".origin.json")


def _read_origin(target: Path) -> Origin:
    return read_table(_origin_path(target), Origin)[0]


def _write_origin(target: Path, origin: Origin) -> None:
    write_table(_origin_path(target), [origin])


def _reject(file: Path, target: Path) -> Path:
    """Move ``file`` to ``NAME.rejected``, replace an older one, and return the new path."""
    return file.replace(target.with_name(target.name + ".rejected"))
