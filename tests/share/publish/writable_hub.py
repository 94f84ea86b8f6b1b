"""A server with the model hub's layout for data sets: to write to, to read back, and to fail.

As on the hub, small text is kept in git, other files in storage by their SHA-256; storage keeps
what it once got, committed or not. Requests and answers are those that huggingface_hub 2.4 makes
and reads without Xet, which a test switches off (HF_HUB_DISABLE_XET): Xet is another protocol, with
a server of its own.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from leitmotif.files.yaml_files import parse_yaml

TOKEN = "hf_good"
READ_ONLY = "hf_reader"
OWNER = "someone"
PAGE = 7
"""Entries of a tree in one answer; the hub has 1,000."""
TEXT = (".md", ".json", ".jsonl", ".gitattributes")
LICENCES = {"mit", "cc0-1.0", "cc-by-4.0", "cc-by-3.0", "cc-by-nc-4.0", "cc-by-nc-sa-3.0", "other"}
Tree = dict[str, bytes]


@dataclass
class DataSet:
    """A repository; branches share the list of commits."""

    private: bool
    commits: dict[str, Tree] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def commit(self, branch: str, tree: Tree) -> str:
        """Add a commit; its name depends on the content and on how many there were."""
        text = f"{len(self.commits)}" + "".join(f"{k}{v!r}" for k, v in sorted(tree.items()))
        name = hashlib.sha1(text.encode()).hexdigest()
        self.commits[name] = tree
        self.branches[branch] = name
        return name

    @property
    def main(self) -> Tree:
        """Files of the branch main, with their content."""
        return self.commits[self.branches["main"]]


@dataclass
class WritableHub:
    """A running server."""

    address: str = ""
    sets: dict[str, DataSet] = field(default_factory=dict)
    storage: dict[str, bytes] = field(default_factory=dict)
    """By SHA-256."""
    requests: list[str] = field(default_factory=list)
    """Method and path of each."""
    stored: list[str] = field(default_factory=list)
    """SHA-256 of what came to storage, in order."""
    faults: list[tuple[str, int, bytes]] = field(default_factory=list)
    """(pattern of a request, status, body): the answer to every request that it fits."""
    on_store: Callable[[int], None] = lambda count: None
    """Called with the number of files that came to storage, before one is answered."""
    batch_error: dict[str, Any] | None = None
    """What storage says of each file instead of where to send it."""
    silent: str | None = None
    """Pattern of a request that gets no answer before the server ends."""
    active: list[str] = field(default_factory=list)
    """Requests that are not answered yet."""
    over: threading.Event = field(default_factory=threading.Event)
    lose: bool = False
    """Commit the large files without their last byte."""

    def make(self, name: str, *, private: bool = False) -> DataSet:
        """A data set as the hub makes it."""
        made = self.sets[name] = DataSet(private)
        made.commit("main", {".gitattributes": b"*.wav filter=lfs\n"})
        return made


def is_large(path: str) -> bool:
    """Whether a file goes to storage."""
    return not path.endswith(TEXT)


def problems_of_card(text: str) -> list[str]:
    """What the hub would refuse in a card's front matter."""
    match = re.match(r"---\n(.*?)\n---\n", text, flags=re.DOTALL)
    if match is None:
        return ["no front matter"]
    data = parse_yaml(match[1])
    licences = data["license"] if isinstance(data["license"], list) else [data["license"]]
    unknown = [f"license {name}" for name in licences if name not in LICENCES]
    if "other" in licences and not {"license_name", "license_link"} <= set(data):
        unknown.append("other needs license_name and license_link")
    names = [config["config_name"] for config in data.get("configs", [])]
    return unknown + [f"config {name} twice" for name in names if names.count(name) > 1]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: WritableHub

    def do_HEAD(self) -> None:
        self._handle()

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def _handle(self) -> None:
        self.hub.active.append(self.path)
        try:
            self._take()
        finally:
            self.hub.active.remove(self.path)

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        self.hub.requests.append(f"{self.command} {path}")
        if self.hub.silent and re.search(self.hub.silent, f"{self.command} {path}"):
            self.hub.over.wait(200)
            self.close_connection = True
            return
        for pattern, status, content in self.hub.faults:
            if re.search(pattern, f"{self.command} {path}"):
                self._send(status, content, {"Retry-After": "0"})
                return
        if path.startswith("/storage/"):
            self._storage(path, body)
        elif self._is_allowed(path):
            self._answer(path, body)

    def _is_allowed(self, path: str) -> bool:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in (TOKEN, READ_ONLY):
            self._error(401, "", "Invalid credentials in Authorization header")
            return False
        if token == READ_ONLY and self.command != "GET" and "create" in path:
            self._error(403, "", "You don't have the rights to create here")
            return False
        return True

    def _answer(self, path: str, body: bytes) -> None:
        if path == "/api/whoami-v2":
            return self._json({"type": "user", "name": OWNER})
        if path == "/api/validate-yaml":
            errors = problems_of_card(json.loads(body)["content"])
            answer = {"errors": [{"message": error} for error in errors], "warnings": []}
            return self._json(answer, 400 if errors else 200)
        if path == "/api/repos/create":
            asked = json.loads(body)
            private = asked.get("visibility") == "private" or bool(asked.get("private"))
            name = f"{asked['organization']}/{asked['name']}"
            self.hub.make(name, private=private)
            return self._json({"url": f"{self.hub.address}/datasets/{name}"})
        return self._data_set(path, body)

    def _data_set(self, path: str, body: bytes) -> None:
        match = re.match(r"(?:/api)?/datasets/([^/]+/[^/]+?)(?:\.git/info/(lfs)|/|$)(.*)", path)
        if match is None:
            return self._error(404, "", "no such page")
        name, rest = match[1], match[3].strip("/")
        there = self.hub.sets.get(name)
        if there is None:
            return self._error(404, "RepoNotFound", "Repository not found")
        if match[2]:
            return self._batch(json.loads(body))
        action, _, place = rest.partition("/")
        if action == "branch":
            there.branches[place] = there.branches["main"]
            return self._json({})
        revision, _, file = place.partition("/")
        revision = revision or "main"
        commit = there.branches.get(revision, revision)
        if commit not in there.commits:
            return self._error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        tree = there.commits[commit]
        actions: dict[str, Callable[[], None]] = {
            "": lambda: self._info(name, there, commit),
            "revision": lambda: self._info(name, there, commit),
            "tree": lambda: self._tree(name, tree, commit),
            "preupload": lambda: self._preupload(json.loads(body), tree),
            "commit": lambda: self._commit(name, there, revision, body),
            "resolve": lambda: self._resolve(tree, commit, file),
        }
        return actions[action]()

    def _info(self, name: str, there: DataSet, commit: str) -> None:
        siblings = [{"rfilename": path} for path in there.commits[commit]]
        info = {"id": name, "sha": commit, "private": there.private, "tags": []}
        self._json({**info, "siblings": siblings})

    def _tree(self, name: str, tree: Tree, commit: str) -> None:
        start = int(parse_qs(urlsplit(self.path).query).get("cursor", ["0"])[0])
        paths = sorted(tree)
        headers = {}
        if start + PAGE < len(paths):
            following = f"{self.hub.address}/api/datasets/{name}/tree/{commit}"
            query = f"recursive=True&cursor={start + PAGE}"
            headers["Link"] = f'<{following}?{query}>; rel="next"'
        entries = [entry_of(path, tree[path]) for path in paths[start : start + PAGE]]
        self._json(entries, headers=headers)

    def _preupload(self, asked: dict[str, Any], tree: Tree) -> None:
        files = []
        for file in asked["files"]:
            large = is_large(file["path"])
            old = tree.get(file["path"])
            oid = None if old is None else entry_of(file["path"], old)
            known = oid and (oid["lfs"]["oid"] if large else oid["oid"])
            mode = "lfs" if large else "regular"
            files.append(
                {"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": known}
            )
        self._json({"files": files})

    def _batch(self, asked: dict[str, Any]) -> None:
        objects = []
        for item in asked["objects"]:
            entry = {"oid": item["oid"], "size": item["size"]}
            if self.hub.batch_error is not None:
                entry["error"] = self.hub.batch_error
            elif item["oid"] not in self.hub.storage:
                entry["actions"] = {
                    "upload": {"href": f"{self.hub.address}/storage/{item['oid']}"},
                }
            objects.append(entry)
        self._json({"transfer": "basic", "objects": objects})

    def _storage(self, path: str, body: bytes) -> None:
        oid = path.rsplit("/", 1)[1]
        if self.command == "PUT":
            if hashlib.sha256(body).hexdigest() != oid:
                return self._send(400, b"BadDigest")
            self.hub.on_store(len(self.hub.stored))
            self.hub.storage[oid] = body
            self.hub.stored.append(oid)
            return self._send(200, b"")
        return self._send(200, self.hub.storage[oid], {"ETag": f'"{oid}"'})

    def _commit(self, name: str, there: DataSet, branch: str, body: bytes) -> None:
        lines = [json.loads(line) for line in body.splitlines()]
        parent = lines[0]["value"].get("parentCommit")
        if parent is not None and parent != there.branches[branch]:
            return self._error(412, "", "A commit has happened since. Please refresh and try again")
        tree = dict(there.commits[there.branches[branch]])
        for line in lines[1:]:
            value = line["value"]
            match line["key"]:
                case "file":
                    tree[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    if value["oid"] not in self.hub.storage:
                        return self._error(400, "", f"LFS pointer without object: {value['path']}")
                    content = self.hub.storage[value["oid"]]
                    tree[value["path"]] = content[:-1] if self.hub.lose else content
                case "deletedFile":
                    del tree[value["path"]]
        oid = there.commit(branch, tree)
        url = f"{self.hub.address}/datasets/{name}/commit/{oid}"
        return self._json({"commitUrl": url, "commitOid": oid, "pullRequestUrl": None})

    def _resolve(self, tree: Tree, commit: str, path: str) -> None:
        if path not in tree:
            return self._error(404, "EntryNotFound", "Entry not found")
        content, headers = tree[path], {"X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        if not is_large(path):
            oid = entry_of(path, content)["oid"]
            return self._send(200, content, {**headers, "ETag": f'"{oid}"'})
        oid = hashlib.sha256(content).hexdigest()
        self.hub.storage.setdefault(oid, content)
        port = urlsplit(self.hub.address).port
        linked = {
            "Location": f"http://localhost:{port}/storage/{oid}",  # as if another host
            "X-Linked-Etag": f'"{oid}"',
            "X-Linked-Size": str(len(content)),
        }
        return self._send(302, b"", headers | linked)

    def _json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(value).encode(), headers)

    def _error(self, status: int, code: str, message: str) -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": message}
        kept = {key: value for key, value in headers.items() if value}
        self._send(status, json.dumps({"error": message}).encode(), kept)

    def _send(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


def entry_of(path: str, content: bytes) -> dict[str, Any]:
    """An entry of a tree."""
    git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    entry: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": git}
    if is_large(path):
        oid = hashlib.sha256(content).hexdigest()
        entry["oid"] = "0" * 40  # of the pointer, which nobody compares
        entry["lfs"] = {"oid": oid, "size": len(content), "pointerSize": 134}
    return entry


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args: object) -> None:
        pass  # a client that was killed


@contextmanager
def serve_writable_hub() -> Iterator[WritableHub]:
    """Run a server on the loopback interface."""
    hub = WritableHub()
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
