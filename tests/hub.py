"""A server with the model hub's layout, for what downloads from it."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Hub:
    """A running server."""

    address: str
    requests: list[str] = field(default_factory=list)
    """Paths asked for, in order."""


@contextmanager
def serve_hub(repositories: Mapping[str, Path], *, revision: str) -> Iterator[Hub]:
    """Serve folders as hub repositories that have one commit, ``revision``."""

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
                if path.startswith(f"/api/models/{name}/tree/{revision}"):
                    return self._tree(folder, body)
                if path == f"/api/models/{name}/revision/{revision}":
                    return self._commit(name, folder, body)
                prefix = f"/{name}/resolve/{revision}/"
                if path.startswith(prefix) and (folder / path.removeprefix(prefix)).is_file():
                    return self._file(folder / path.removeprefix(prefix), body)
            return self._send(404, b"{}", {"X-Error-Code": "EntryNotFound"}, body)

        def _tree(self, folder: Path, body: bool) -> None:
            entries = [
                {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": "0" * 40}
                for file in sorted(folder.iterdir())
            ]
            self._send(200, json.dumps(entries).encode(), {}, body)

        def _commit(self, name: str, folder: Path, body: bool) -> None:
            files = [{"rfilename": file.name} for file in sorted(folder.iterdir())]
            content = {"id": name, "modelId": name, "sha": revision, "siblings": files, "tags": []}
            self._send(200, json.dumps(content).encode(), {}, body)

        def _file(self, file: Path, body: bool) -> None:
            content = file.read_bytes()
            tag = sha256(content).hexdigest()
            headers = {"ETag": f'"{tag}"', "X-Repo-Commit": revision, "Accept-Ranges": "bytes"}
            self._send(200, content, headers, body)

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

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub = Hub(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
