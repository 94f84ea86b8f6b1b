"""The comment of a pull request: made once, then updated, on the request that the server names."""

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import comment
import pytest

from leitmotif.share.compare import CAP, MARKER

SHA = "a" * 40
RUN = {
    "HEAD_REPOSITORY": "fork/leitmotif",
    "HEAD_BRANCH": "a;b $(touch x)&c",
    "HEAD_SHA": SHA,
    "RUN_URL": "https://example.org/run/1",
}
BOT = {"login": "github-actions[bot]"}


class Server:
    """A server with the shape of both APIs: lists by path, to which comments are added."""

    def __init__(self) -> None:
        self.lists: dict[str, list[dict[str, Any]]] = {}
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []
        self.queries: list[dict[str, list[str]]] = []
        self.status = 200

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        split = urlsplit(path)
        query = parse_qs(split.query)
        self.asked.append((method, split.path))
        self.queries.append(query)
        if self.status != 200:
            return self.status, b"{}"
        if method == "GET":
            return self.read(split.path, query)
        return self.write(method, split.path, body)

    def read(self, path: str, query: dict[str, list[str]]) -> tuple[int, bytes]:
        if path in self.files:
            return 200, self.files[path]
        if path == "/user":
            return 200, b'{"username": "bot"}'
        if path not in self.lists:
            return 404, b"{}"
        size, page = int(query["per_page"][0]), int(query["page"][0])
        return 200, json.dumps(self.lists[path][(page - 1) * size : page * size]).encode()

    def write(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        if method == "POST":
            who = {"user": BOT, "author": {"username": "bot"}}
            made = {"id": 1_000, **who, **body}
            self.lists.setdefault(path, []).append(made)
            return 201, json.dumps(made).encode()
        number = int(path.rsplit("/", 1)[1])
        for comments in self.lists.values():
            for entry in comments:
                if method in ("PATCH", "PUT") and entry.get("id") == number:
                    entry.update(body)
                    return 200, json.dumps(entry).encode()
        return 404, b"{}"


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def api(server: Server) -> Iterator[Any]:
    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            status, content = server.answer(self.command, self.path, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_PUT = respond  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        yield comment.Api(f"http://127.0.0.1:{http.server_port}", {"Authorization": "Bearer t"})
        http.shutdown()


PULLS = "/repos/owner/leitmotif/pulls"
COMMENTS = "/repos/owner/leitmotif/issues/7/comments"


def pull(number: int = 7, sha: str = SHA, repository: str = "fork/leitmotif") -> dict[str, Any]:
    return {
        "number": number,
        "head": {"sha": sha, "repo": {"full_name": repository}},
        "base": {"repo": {"full_name": "owner/leitmotif"}},
    }


def post(api: Any, text: str = "\n\nwords\n") -> str:
    return str(comment.github(api, "owner/leitmotif", RUN, text))


def test_a_comment_is_made_once_and_then_updated(server: Server, api: Any) -> None:
    server.lists = {PULLS: [pull()], COMMENTS: []}
    assert post(api) == "#7: comment made"
    assert post(api, "\n\nother words\n") == "#7: comment updated"
    (comment,) = server.lists[COMMENTS]
    assert comment["body"].startswith(f"{MARKER}\n")
    assert "other words" in comment["body"]
    assert "aaaaaaaaaa, in [this run](https://example.org/run/1)" in comment["body"]
    assert server.queries[0]["head"] == ["fork:a;b $(touch x)&c"]


def test_another_authors_comment_with_the_marker_is_left_alone(server: Server, api: Any) -> None:
    others = [{"id": 5, "user": {"login": "mallory"}, "body": f"{MARKER}\nmine"}]
    quoting = [{"id": 6, "user": BOT, "body": f"> {MARKER}"}, {"id": 7, "user": None, "body": None}]
    server.lists = {PULLS: [pull()], COMMENTS: [*others, *quoting]}
    assert post(api) == "#7: comment made"
    assert [comment["body"] for comment in server.lists[COMMENTS][:1]] == [f"{MARKER}\nmine"]
    assert len(server.lists[COMMENTS]) == 4


def test_the_comment_is_found_behind_a_hundred_others(server: Server, api: Any) -> None:
    others = [{"id": number, "user": BOT, "body": "words"} for number in range(100)]
    ours = {"id": 500, "user": BOT, "body": MARKER}
    server.lists = {PULLS: [pull()], COMMENTS: [*others, ours]}
    assert post(api) == "#7: comment updated"


@pytest.mark.fault(
    "scripts/comment.py", "the artifact is of another commit or repository", outcome="not posted"
)
@pytest.mark.parametrize(
    "other",
    [pull(sha="b" * 40), pull(repository="mallory/leitmotif"), {**pull(), "head": {
        "sha": SHA, "repo": None}}],
)  # fmt: skip
def test_only_the_request_of_the_commit_is_commented_on(
    server: Server, api: Any, other: dict[str, Any]
) -> None:
    server.lists = {PULLS: [other], COMMENTS: []}
    assert "no open pull request" in post(api)
    assert {method for method, _ in server.asked} == {"GET"}


@pytest.mark.fault("scripts/comment.py", "the server refuses", outcome="status 1, says the status")
def test_a_refusal_says_its_status(server: Server, api: Any) -> None:
    server.status = 403
    with pytest.raises(comment.CommentError, match="status 403"):
        post(api)


@pytest.mark.fault(
    "scripts/comment.py", "the artifact is too long, no text or has no marker", outcome="refused"
)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"words", "marker"),
        (f"{MARKER}\n".encode() + b"\xff", "UTF-8"),
        (f"{MARKER}\n{'a' * CAP}".encode(), "characters"),
    ],
)
def test_text_that_is_no_comparison_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(comment.CommentError, match=said):
        comment.checked(content)


def test_nobody_is_notified() -> None:
    text = comment.checked(f"{MARKER}\n@everyone and `@a`".encode())
    assert not re.search(r"@\w", text)


def test_marker_and_limit_are_those_of_comparisons() -> None:
    assert (comment.MARKER, comment.LONGEST) == (MARKER, CAP)


REQUESTS = "/projects/3/merge_requests"


@pytest.fixture
def gitlab(server: Server) -> Server:
    """A merge request of a fork, project 9, whose pipeline is finished."""
    server.lists = {
        REQUESTS: [{"iid": 4, "sha": SHA}],
        f"{REQUESTS}/4/pipelines": [
            {"id": 20, "sha": "b" * 40, "project_id": 9},
            {"id": 10, "sha": SHA, "project_id": 9},
        ],
        "/projects/9/pipelines/10/jobs": [
            {"id": 30, "name": "quick", "web_url": "x"},
            {"id": 31, "name": "compare", "web_url": "https://example.org/31"},
        ],
        f"{REQUESTS}/4/notes": [{"id": 1, "author": {"username": "m"}, "body": MARKER}],
    }
    artifact = "/projects/9/jobs/31/artifacts/comparison/comment.md"
    server.files = {artifact: f"{MARKER}\n\nwords\n".encode()}
    return server


def test_a_merge_request_of_a_fork_is_commented_on(gitlab: Server, api: Any) -> None:
    assert comment.gitlab(api, "3") == "!4: comment made"
    assert comment.gitlab(api, "3") == "!4: comment is up to date"
    (path,) = gitlab.files
    gitlab.files[path] += b"more\n"
    assert comment.gitlab(api, "3") == "!4: comment updated"
    first, second = gitlab.lists[f"{REQUESTS}/4/notes"]
    assert first["body"] == MARKER
    assert "more" in second["body"]
    assert "https://example.org/31" in second["body"]


def test_one_request_that_cannot_be_commented_on_leaves_the_others(
    gitlab: Server, api: Any
) -> None:
    gitlab.lists[REQUESTS].insert(0, {"iid": 5, "sha": SHA})
    assert comment.gitlab(api, "3").splitlines()[1] == "!4: comment made"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (f"{REQUESTS}/4/pipelines", "no pipeline of its newest commit"),
        ("/projects/9/pipelines/10/jobs", "its job compare is not finished"),
        (REQUESTS, "no merge request is open"),
    ],
)
def test_what_is_not_there_yet_is_said(gitlab: Server, api: Any, path: str, said: str) -> None:
    gitlab.lists[path] = []
    assert said in comment.gitlab(api, "3")
