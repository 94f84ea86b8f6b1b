"""A local web server with MTG-Jamendo's layout, and ways in which a server can fail."""

import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import soundfile

from leitmotif.config import MtgJamendoCorpus

REVISION = "ab" * 20
DATASET, DATA_TYPE = "autotagging_moodtheme", "audio-low"
TAR = f"{DATASET}_{DATA_TYPE}-00.tar"


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request."""

    status: int | None = None
    """Answer this, without a body."""
    send: int | None = None
    """Announce the whole body, send so many bytes, and hang up."""
    stall: bool = False
    """With ``send``: do not hang up but send nothing more."""
    headers: dict[str, str] = field(default_factory=dict)
    """Headers that replace the true ones."""
    chunked: bool = False
    """Do not announce the size."""


@dataclass
class Web:
    """Files by path, faults by path (one a request, in order), and the requests that came."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    """(path, Range header)"""
    ranges: bool = True
    validators: tuple[str, ...] = ("ETag",)
    weak: bool = False
    stalled: threading.Event = field(default_factory=threading.Event)
    closing: threading.Event = field(default_factory=threading.Event)

    def reset(self) -> None:
        """Forget everything but the address."""
        self.files, self.faults, self.redirects, self.requests = {}, {}, {}, []
        self.ranges, self.validators, self.weak = True, ("ETag",), False
        self.stalled.clear()

    def ranges_asked(self, path: str) -> list[str | None]:
        """Range header of each request for ``path``."""
        return [header for asked, header in self.requests if asked == path]


@contextmanager
def serve() -> Iterator[Web]:
    """Run a server on a free port of 127.0.0.1."""
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _answer(web, self)

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    web.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield web
    finally:
        web.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(web: Web, request: BaseHTTPRequestHandler) -> None:
    path = request.path
    asked = request.headers.get("Range")
    web.requests.append((path, asked))
    fault = web.faults[path].pop(0) if web.faults.get(path) else Fault()
    if path in web.redirects:
        request.send_response(302)
        request.send_header("Location", web.redirects[path])
        request.send_header("Content-Length", "0")
        request.end_headers()
        return
    content = web.files.get(path)
    status = fault.status or (404 if content is None else None)
    if status is not None or content is None:
        request.send_response(status or 404)
        request.send_header("Content-Length", "0")
        request.end_headers()
        return
    etag = ("W/" if web.weak else "") + f'"{hashlib.sha256(content).hexdigest()}"'
    known = {"ETag": etag, "Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}
    validators = {name: known[name] for name in web.validators}
    start, status = 0, 200
    if asked and web.ranges and request.headers.get("If-Range") in validators.values():
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        status = 206 if start < len(content) else 416
    headers = dict(validators)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"  # as raw.githubusercontent.com does
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
    if status == 416:
        headers["Content-Range"] = f"bytes */{len(content)}"
    body = content[start:] if status != 416 else b""
    if not fault.chunked:
        headers["Content-Length"] = str(len(body))
    request.send_response(status)
    for name, value in (headers | fault.headers).items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body if fault.send is None else body[: fault.send])
    request.wfile.flush()
    if fault.stall:
        web.stalled.set()
        web.closing.wait(200)
    request.close_connection = True


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def tone(seconds: float, pitch: float, *, sample_rate: int = 32_000) -> bytes:
    """A sine as an MP3 file."""
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    file = io.BytesIO()
    soundfile.write(file, 0.3 * np.sin(2 * np.pi * pitch * time), sample_rate, format="MP3")
    return file.getvalue()


def tar_of(members: Mapping[str, bytes], *, folders: tuple[str, ...] = ("00",)) -> bytes:
    """An uncompressed tar file; the real ones begin with an entry for their folder."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name in folders:
            entry = tarfile.TarInfo(name)
            entry.type = tarfile.DIRTYPE
            tar.addfile(entry)
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return file.getvalue()


@dataclass
class Official:
    """A small release in the official layout, on a server."""

    web: Web
    members: dict[str, bytes]
    settings: MtgJamendoCorpus

    @property
    def tar_path(self) -> str:
        return f"/audio/{DATASET}/{DATA_TYPE}/{TAR}"


TSV = (
    "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS\r\n"
    "track_0000300\tartist_1\talbum_1\t00/300.mp3\t1.0\tinstrument---piano\tinstrument---bass\r\n"
    "track_0001100\tartist_1\talbum_1\t00/1100.mp3\t1.5\tinstrument---voice\r\n"
    "track_0009901\tartist_2\talbum_2\t01/9901.mp3\t99.0\tinstrument---harp\r\n"
    "track_0012000\tartist_2\talbum_2\t00/12000.mp3\t2.0\tinstrument---guitar\r\n"
)
LICENCES = (
    "00/300.mp3\n"
    "Tone by Örjan from Jamendo: http://www.jamendo.com/track/300\n"
    "Available under a Creative Commons Attribution-Non-Commercial license: "
    "http://creativecommons.org/licenses/by-nc/3.0/\n"
    "\n"
    "00/1100.mp3\n"
    "Song by Ann by the Sea from Jamendo: http://www.jamendo.com/track/1100\n"
    "Available under a Creative Commons Attribution license: "
    "http://creativecommons.org/licenses/by/2.0/fr/\n"
    "\n"
)


def publish(web: Web, folder: Path) -> Official:
    """Put a release of four tracks on ``web`` and its pin file into ``folder``."""
    members = {
        "00/1100.low.mp3": tone(1.5, 330),
        "00/12000.low.mp3": tone(2.0, 440),
        "00/300.low.mp3": tone(1.0, 220),
        "00/500.low.mp3": tone(0.5, 550),
    }
    return publish_release(web, folder / "pin.json", members, tags=TSV, licences=LICENCES)


def publish_release(
    web: Web, pinned: Path, members: Mapping[str, bytes], *, tags: str, licences: str
) -> Official:
    """Put a release of these files on ``web``, and write its pin file.

    ``members`` are the files of shard 0; ``tags`` and ``licences`` the texts of those files.
    """
    tar = tar_of(members)
    lists = {
        f"data/download/{DATASET}_{DATA_TYPE}_sha256_tars.txt": f"{sha256(tar)} {TAR}\n",
        f"data/download/{DATASET}_{DATA_TYPE}_sha256_tracks.txt": "".join(
            f"{sha256(content)} {name}\n" for name, content in members.items()
        )
        + f"{'0' * 64} 01/9901.low.mp3\n",
        "data/autotagging_instrument.tsv": tags,
        "audio_licenses.txt": licences,
    }
    for path, text in lists.items():
        web.files[f"/metadata/{REVISION}/{path}"] = text.encode()
    of_tars, of_tracks, of_tags, of_licences = lists
    pin = {
        "dataset": DATASET,
        "data_type": DATA_TYPE,
        "revision": REVISION,
        "tar_checksums": {"path": of_tars, "sha256": sha256(lists[of_tars].encode())},
        "track_checksums": {"path": of_tracks, "sha256": sha256(lists[of_tracks].encode())},
        "tags": {"path": of_tags, "sha256": sha256(lists[of_tags].encode())},
        "audio_licences": {"path": of_licences, "sha256": None},
    }
    pinned.parent.mkdir(parents=True, exist_ok=True)
    pinned.write_text(json.dumps(pin))
    settings = MtgJamendoCorpus(
        source="mtg-jamendo",
        path=str(pinned),
        watch=str(pinned),
        listings=[],
        shards=[0],
        audio_url=f"{web.url}/audio",
        metadata_url=f"{web.url}/metadata",
        retries=0,
    )
    official = Official(web, dict(members), settings)
    web.files[official.tar_path] = tar
    return official
