#!/usr/bin/env python3
"""Put a comparison on its pull request or merge request as one comment, which later runs update.

    python3 scripts/comment.py github comparison/comment.md
    python3 scripts/comment.py gitlab

It runs with a token that may write, and what it posts was written by the code of whoever opened the
request. So nothing of that code is run or imported here, the text is data of limited length, and
which request it belongs to is asked of the server, by the commit that was rendered. Only the
standard library is needed: a job with a token installs nothing.

For GitHub the environment has GITHUB_API_URL, GITHUB_REPOSITORY and GITHUB_TOKEN, and of the run
that rendered the text HEAD_REPOSITORY, HEAD_BRANCH, HEAD_SHA and RUN_URL. For GitLab it has
CI_API_V4_URL, CI_PROJECT_ID and COMMENT_TOKEN; the texts are artifacts of the job ``compare`` of
each open request.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

MARKER = "<!-- leitmotif compare -->"
"""First line of a comparison; ``leitmotif.share.compare.MARKER``."""
LONGEST = 60_000
"""Characters of a comparison; ``leitmotif.share.compare.CAP``."""
GITHUB_AUTHOR = "github-actions[bot]"
"""Whose comments are updated: what a workflow's token writes is from this account."""
ARTIFACT = "comparison/comment.md"
JOB = "compare"
_SECONDS = 60
_LARGEST = 4_000_000
_PER_PAGE = 100


class CommentError(Exception):
    """Why nothing was posted."""


class Api:
    """Requests to a server with one token.

    Parameters
    ----------
    url: of the API, without a ``/`` at its end.
    headers: sent with every request.
    """

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.url, self.headers = url.rstrip("/"), headers

    def raw(self, method: str, path: str, fields: dict[str, str] | None = None) -> bytes:
        """The answer to a request; raises CommentError for one that is not a success."""
        body = None if fields is None else json.dumps(fields).encode()
        headers = {**self.headers, "Content-Type": "application/json"}
        request = Request(self.url + path, data=body, headers=headers, method=method)
        try:
            with urlopen(request, timeout=_SECONDS) as answer:
                content: bytes = answer.read(_LARGEST + 1)
        except HTTPError as error:
            raise CommentError(f"{method} {path}: status {error.code}") from error
        except (URLError, OSError) as error:
            raise CommentError(f"{method} {path}: {error}") from error
        if len(content) > _LARGEST:
            raise CommentError(f"{method} {path}: more than {_LARGEST} bytes")
        return content

    def json(self, method: str, path: str, fields: dict[str, str] | None = None) -> Any:
        """The answer to a request, parsed."""
        return json.loads(self.raw(method, path, fields))

    def pages(self, path: str) -> Iterator[Any]:
        """The items of all pages of a list; ``path`` may have a query."""
        joint = "&" if "?" in path else "?"
        for page in count(1):
            items = self.json("GET", f"{path}{joint}per_page={_PER_PAGE}&page={page}")
            yield from items
            if len(items) < _PER_PAGE:
                return


def checked(content: bytes) -> str:
    """The text of a comparison without what would notify people; raises CommentError.

    It must be UTF-8 of a limited length that begins with the marker.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise CommentError("the comparison is not UTF-8") from error
    if not text.startswith(MARKER + "\n"):
        raise CommentError("the comparison does not begin with its marker")
    if len(text) > LONGEST:
        raise CommentError(f"the comparison has {len(text):,} characters, more than {LONGEST:,}")
    # A space of no width: @name then names nobody.
    return text.removeprefix(MARKER).replace("@", "@\u200b")


def body_of(text: str, commit: str, run_url: str) -> str:
    """The comment: whose code made the text, and the text."""
    source = f"[this run]({run_url})" if run_url else "its job"
    return (
        f"{MARKER}\n_Made by this request's own code at {commit[:10]}, in {source}; pictures are "
        f"in its artifact._\n{text}"
    )


def github(api: Api, repository: str, run: dict[str, str], text: str) -> str:
    """Comment on the pull request that a run rendered; returns what was done.

    Parameters
    ----------
    api: of GitHub.
    repository: owner and name, such as ``owner/leitmotif``.
    run: HEAD_REPOSITORY, HEAD_BRANCH, HEAD_SHA and RUN_URL of the run that rendered ``text``.
    text: as ``checked`` gives it.
    """
    owner = run["HEAD_REPOSITORY"].split("/")[0]
    query = urlencode({"state": "open", "head": f"{owner}:{run['HEAD_BRANCH']}"})
    numbers = [
        int(pull["number"])
        for pull in api.pages(f"/repos/{repository}/pulls?{query}")
        if pull["head"]["sha"] == run["HEAD_SHA"]
        and (pull["head"]["repo"] or {}).get("full_name") == run["HEAD_REPOSITORY"]
        and pull["base"]["repo"]["full_name"] == repository
    ]
    if not numbers:
        return f"no open pull request has {run['HEAD_SHA']} as its head: nothing to do"
    body = body_of(text, run["HEAD_SHA"], run["RUN_URL"])
    done = []
    for number in numbers:
        comments = api.pages(f"/repos/{repository}/issues/{number}/comments")
        known = next((c for c in comments if _ours(c["body"], c["user"], GITHUB_AUTHOR)), None)
        if known is None:
            api.json("POST", f"/repos/{repository}/issues/{number}/comments", {"body": body})
        else:
            path = f"/repos/{repository}/issues/comments/{int(known['id'])}"
            api.json("PATCH", path, {"body": body})
        done.append(f"#{number}: comment {'made' if known is None else 'updated'}")
    return ", ".join(done)


def gitlab(api: Api, project: str) -> str:
    """Comment on each open merge request whose comparison is rendered; returns what was done.

    A pipeline of a fork runs in the fork, where it has no token of this project. So this runs on
    the default branch and fetches what the pipelines left.
    """
    author = str(api.json("GET", "/user")["username"])
    done = []
    for request in api.pages(f"/projects/{project}/merge_requests?state=opened"):
        number = int(request["iid"])
        try:
            done.append(f"!{number}: {_gitlab_comment(api, project, request, author)}")
        except CommentError as error:  # of one request; the others go on
            done.append(f"!{number}: {error}")
    return "\n".join(done) or "no merge request is open"


def _gitlab_comment(api: Api, project: str, request: dict[str, Any], author: str) -> str:
    base = f"/projects/{project}/merge_requests/{int(request['iid'])}"
    commit = str(request["sha"])
    pipelines = (p for p in api.pages(f"{base}/pipelines") if p["sha"] == commit)
    pipeline = max(pipelines, key=lambda pipeline: int(pipeline["id"]), default=None)
    if pipeline is None:
        return "no pipeline of its newest commit"
    home = f"/projects/{int(pipeline['project_id'])}"
    jobs = api.pages(f"{home}/pipelines/{int(pipeline['id'])}/jobs?scope=success")
    job = next((job for job in jobs if job["name"] == JOB), None)
    if job is None:
        return f"its job {JOB} is not finished"
    text = checked(api.raw("GET", f"{home}/jobs/{int(job['id'])}/artifacts/{quote(ARTIFACT)}"))
    body = body_of(text, commit, str(job["web_url"]))
    notes = api.pages(f"{base}/notes")
    known = next((note for note in notes if _ours(note["body"], note["author"], author)), None)
    if known is None:
        api.json("POST", f"{base}/notes", {"body": body})
        return "comment made"
    if known["body"] == body:
        return "comment is up to date"
    api.json("PUT", f"{base}/notes/{int(known['id'])}", {"body": body})
    return "comment updated"


def _ours(body: str | None, user: dict[str, Any] | None, author: str) -> bool:
    """Whether a comment is this program's: anybody can write the marker into one of theirs."""
    name = (user or {}).get("login") or (user or {}).get("username")
    return (body or "").startswith(MARKER) and name == author


def main() -> None:
    """Post what the command line names."""
    parser = argparse.ArgumentParser(description="Put a comparison on its pull request.")
    parser.add_argument("server", choices=("github", "gitlab"))
    parser.add_argument("file", nargs="?", type=Path, help="the comparison; for GitHub only")
    arguments = parser.parse_args()
    env = os.environ
    try:
        if arguments.server == "gitlab":
            api = Api(env["CI_API_V4_URL"], {"PRIVATE-TOKEN": env["COMMENT_TOKEN"]})
            print(gitlab(api, quote(env["CI_PROJECT_ID"], safe="")))
            return
        if arguments.file is None:
            parser.error("github needs the file of the comparison")
        names = ("HEAD_REPOSITORY", "HEAD_BRANCH", "HEAD_SHA", "RUN_URL")
        headers = {
            "Authorization": f"Bearer {env['GITHUB_TOKEN']}",
            "Accept": "application/vnd.github+json",
        }
        api = Api(env["GITHUB_API_URL"], headers)
        text = checked(arguments.file.read_bytes())
        print(github(api, env["GITHUB_REPOSITORY"], {name: env[name] for name in names}, text))
    except KeyError as error:
        sys.exit(f"error: {error} is not set, or an answer of the server lacks it")
    except (CommentError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
