"""One transfer of a file over HTTP: an attempt continues what an earlier attempt has left.

A transfer is written to ``NAME.partial`` and its origin to ``NAME.origin.json``. The next attempt,
in this run or a later run, continues it by a range request (RFC 9110, section 14) if the server
confirms with ``If-Range`` that the file has not changed. Otherwise the transfer starts again.
"""

import hashlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import httpx

from leitmotif.errors import CorpusError
from leitmotif.files import read_table, sha256_file, write_table
from leitmotif.tables.base import Sha256, Table
from leitmotif.work.progress import byte_progress

RETRIED_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
CHUNK = 1 << 20


class Origin(Table):
    """Origin of a file: the data for resuming it safely and for recognising it later."""

    url: str
    validator: str | None
    """Strong ETag or Last-Modified date; None if the server sends neither."""
    sha256: Sha256 | None
    """None until the transfer is complete."""


class AttemptError(Exception):
    """An attempt failed, and a further attempt may succeed."""


@dataclass(frozen=True)
class Transfer:
    """The transfer of one file.

    Parameters
    ----------
    client : follows redirects and asks for no compression; ranges count the bytes of the body.
    url : address of the file.
    target : path that the file gets when it is complete.
    max_bytes : maximum size.
    """

    client: httpx.Client
    url: str
    target: Path
    max_bytes: int

    @property
    def partial(self) -> Path:
        """The file while it is not complete."""
        return self.target.with_name(self.target.name + ".partial")

    def attempt(self) -> tuple[str, bool]:
        """Complete the partial file; returns its SHA-256, and whether it was resumed.

        Raises AttemptError where a further attempt may succeed, and CorpusError where none will.
        """
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
            raise AttemptError(str(error) or type(error).__name__) from error

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
            raise AttemptError(f"status {response.status_code} {response.reason_phrase}")
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
            raise AttemptError(f"the server has no byte {held} of the file")
        return sha256_file(self.partial)

    def _start(self, response: httpx.Response, held: int) -> int:
        """First byte in the response: ``held``, or 0 if the transfer starts again."""
        if response.status_code == 200:
            return 0
        content_range = response.headers.get("Content-Range", "")
        if not held or not content_range.startswith(f"bytes {held}-"):
            self.partial.unlink(missing_ok=True)
            raise AttemptError(f"asked for bytes from {held} on, got {content_range!r}")
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
            raise AttemptError(f"the server sent {received} of {total} bytes")
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


def recorded_sha256(target: Path, url: str) -> str | None:
    """The SHA-256 that a file had when it came from this URL; None if it did not."""
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
