"""A server with the model hub's layout, for what downloads from it."""

import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from leitmotif.files import sha256_file

_hash = cache(sha256_file)
LARGE = (".safetensors", ".bin")


@dataclass
class Hub:
    """A running server."""

    address: str
    requests: list[str] = field(default_factory=list)
    """Paths asked for, in order."""
    sent: list[tuple[str, int, int]] = field(default_factory=list)
    """(name, first byte, bytes sent) of each body of a file."""
    stop_after: int | None = None
    """Send so many bytes of a large file, then wait for ``go_on`` and close the connection."""
    flip: bool = False
    """Change the first byte of each large file on its way."""
    stopped: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def environment(self, home: Path) -> dict[str, str]:
        """What a process needs to take this server for the hub; its cache is in ``home``.

        A process of its own, because huggingface_hub reads the address when it is imported.
        """
        kept = {key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"}
        patient = dict.fromkeys(("HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT"), "200")
        return {**kept, **patient, "HF_ENDPOINT": self.address, "HF_HOME": str(home)}


@contextmanager
def serve_hub(
    repositories: Mapping[str, Path], *, revision: str | Mapping[str, str]
) -> Iterator[Hub]:
    """Serve folders as hub repositories that have one commit, ``revision``, which is ``main``.

    ``revision`` is that of all repositories, or one for each name.

    As on the hub, a large file is a redirection to storage, known by its SHA-256.
    """

    commits = {
        name: revision if isinstance(revision, str) else revision[name] for name in repositories
    }

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            path = self.path.split("?")[0]
            hub.requests.append(path)
            for name, folder in repositories.items():
                commit = commits[name]
                if path.startswith(f"/api/models/{name}/tree/{commit}"):
                    return self._tree(folder, body)
                if path == f"/api/models/{name}/revision/{commit}":
                    return self._commit(name, folder, body)
                for asked in (commit, "main"):
                    prefix = f"/{name}/resolve/{asked}/"
                    file = folder / path.removeprefix(prefix)
                    if path.startswith(prefix) and file.is_file():
                        return self._file(file, body)
                prefix = f"/storage/{name}/{commit}/"
                if path.startswith(prefix):
                    return self._bytes(folder / path.removeprefix(prefix), body)
            lost = any(path.startswith(f"/api/models/{name}/") for name in repositories)
            code = "RevisionNotFound" if lost else "EntryNotFound"
            return self._send(404, b"{}", {"X-Error-Code": code}, body)

        def _tree(self, folder: Path, body: bool) -> None:
            entries = [
                {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": "0" * 40}
                for file in sorted(folder.iterdir())
            ]
            self._send(200, json.dumps(entries).encode(), {}, body)

        def _commit(self, name: str, folder: Path, body: bool) -> None:
            files = [{"rfilename": file.name} for file in sorted(folder.iterdir())]
            sha = commits[name]
            content = {"id": name, "modelId": name, "sha": sha, "siblings": files, "tags": []}
            self._send(200, json.dumps(content).encode(), {}, body)

        def _file(self, file: Path, body: bool) -> None:
            name, folder = next(item for item in repositories.items() if item[1] in file.parents)
            headers = {"X-Repo-Commit": commits[name], "Accept-Ranges": "bytes"}
            if file.suffix not in LARGE:
                tag = _hash(file)[:40]  # git's, not a SHA-256
                return self._send(200, file.read_bytes(), {**headers, "ETag": f'"{tag}"'}, body)
            path = f"/storage/{name}/{commits[name]}/{file.relative_to(folder).as_posix()}"
            linked = {
                "Location": f"http://localhost:{server.server_port}{path}",  # as if another host
                "X-Linked-Etag": f'"{_hash(file)}"',
                "X-Linked-Size": str(file.stat().st_size),
            }
            return self._send(302, b"", headers | linked, body)

        def _bytes(self, file: Path, body: bool) -> None:
            size, first = file.stat().st_size, 0
            headers = {"ETag": f'"{_hash(file)}"', "Accept-Ranges": "bytes"}
            asked = self.headers.get("Range", "")
            if asked.startswith("bytes="):
                first = int(asked.removeprefix("bytes=").split("-")[0])
                headers["Content-Range"] = f"bytes {first}-{size - 1}/{size}"
            self.send_response(206 if first else 200)
            for key, value in {**headers, "Content-Length": str(size - first)}.items():
                self.send_header(key, value)
            self.end_headers()
            if not body:
                return
            last = size if hub.stop_after is None else min(size, first + hub.stop_after)
            hub.sent.append((file.name, first, last - first))
            with file.open("rb") as source:
                source.seek(first)
                for at in range(first, last, 1 << 20):
                    chunk = source.read(min(1 << 20, last - at))
                    if hub.flip and at == 0:
                        chunk = bytes([chunk[0] ^ 1]) + chunk[1:]
                    self.wfile.write(chunk)
            if last < size:
                self.wfile.flush()
                hub.stopped.set()
                hub.go_on.wait(200)
                self.close_connection = True

        def _send(self, status: int, content: bytes, headers: dict[str, str], body: bool) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *args: object) -> None:
            pass  # a client that was killed

    server = Server(("127.0.0.1", 0), Handler)
    hub = Hub(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()
