"""``leitmotif review`` and ``leitmotif agreement`` as people run them."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from leitmotif.cli.preset_texts import preset
from leitmotif.errors import ReviewError
from leitmotif.review.log import append
from leitmotif.review.serve import access_for, check_reviewers, git_name, links, serve
from leitmotif.review.session import Session
from tests.review.conftest import Build
from tests.review.made import decision
from tests.review.serving import running

PROGRAM = [sys.executable, "-c", "from leitmotif.cli import main; main()"]


@pytest.fixture
def checkout(build: Build, tmp_path: Path, repo_root: Path) -> Path:
    """A folder with proposals, as `dvc repro proposals` leaves it."""
    build()
    (tmp_path / "params.yaml").write_text(preset("folder", root=repo_root))
    (tmp_path / "models").symlink_to(repo_root / "models")
    return tmp_path


def run(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_page_is_served_until_interrupted(checkout: Path) -> None:
    command = ["review", "--reviewer", "ana", "--reviewer", "ben", "--no-browser", "--port", "0"]
    process = subprocess.Popen(
        [*PROGRAM, *command],
        cwd=checkout,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    first, second, third = (process.stdout.readline() for _ in range(3))
    assert first.startswith("ana: http://127.0.0.1:")
    assert second.startswith("ben: http://127.0.0.1:")
    assert third.startswith("Decisions go to data/decisions")
    with urllib.request.urlopen(first.split()[1], timeout=30) as answer:
        assert b"Leitmotif review" in answer.read()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert "Traceback" not in err
    assert (checkout / ".leitmotif/review/index.sqlite").exists()


def test_without_proposals_it_says_what_to_run(checkout: Path) -> None:
    (checkout / "data/proposals.jsonl").unlink()
    done = run(checkout, "review", "--reviewer", "ana", "--no-browser")
    assert done.returncode == 1
    assert done.stderr.startswith("error: data/proposals.jsonl does not exist")
    assert "dvc repro" in done.stderr


def test_agreement_is_printed(checkout: Path) -> None:
    assert "fewer than two reviewers" in run(checkout, "agreement").stdout
    for reviewer, verdicts in (("ana", "pnp"), ("ben", "pnn")):
        for number, verdict in enumerate(verdicts):
            said = {"p": "positive", "n": "negative"}[verdict]
            append(checkout / f"data/decisions/{reviewer}.jsonl", decision(reviewer, number, said))
    done = run(checkout, "agreement")
    assert "ana and ben: 3 items, the same verdict on 66.7%" in done.stdout
    assert "kappa, positive or not     0.40" in done.stdout


@pytest.mark.parametrize("name", ["", "Ana", "../ana", "a b", "-ana", "a" * 41, "ana\n"])
def test_a_name_that_is_no_file_name_is_refused(name: str) -> None:
    with pytest.raises(ReviewError, match="cannot be that of a reviewer"):
        check_reviewers([name])


def test_a_reviewer_is_named_once() -> None:
    assert check_reviewers(["ana", "ben-2"]) == ("ana", "ben-2")
    with pytest.raises(ReviewError, match="named twice"):
        check_reviewers(["ana", "ana"])


def test_the_name_comes_from_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config"
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.chdir(tmp_path)
    config.write_text("[user]\n\tname = Ana Gómez-Núñez\n")
    assert git_name() == "ana-gomez-nunez"
    config.write_text("")
    with pytest.raises(ReviewError, match="not known who decides"):
        git_name()


def test_links_carry_the_tokens() -> None:
    access = access_for("10.0.0.7", ["ana", "ben"])
    by_reviewer = links("10.0.0.7", 80, ["ana", "ben"], access)
    for reviewer, link in by_reviewer.items():
        assert link.startswith("http://10.0.0.7:80/?token=")
        assert access.reviewer_of(link.split("token=")[1]) == reviewer
    assert links("::1", 80, ["ana"], access_for("::1", ["ana"])) == {
        "ana": "http://[::1]:80/as/ana/review"
    }


def test_a_port_that_is_taken_is_said(session: Session) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ReviewError, match=f"cannot listen on 127.0.0.1, port {port}") as error:
            serve(
                session,
                reviewers=["ana"],
                host="127.0.0.1",
                port=port,
                access=access_for("127.0.0.1", ["ana"]),
                ready=lambda _: None,
            )
    assert "--port" in str(error.value.fix)


HEAD = b"POST /as/ana/decisions HTTP/1.1\r\nHost: localhost\r\n"
MALFORMED = {
    "no HTTP": b"nonsense\r\n\r\n",
    "zeros": bytes(20_000),
    "the beginning of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xff" * 200,
    "HTTP 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n\r\n",
    "a path of bytes": b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a length of letters": HEAD + b"Content-Length: abc\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 7\r\n\r\nab",
    "more promised than sent": HEAD + b"Content-Length: 9\r\n\r\nab",
    "a chunk of no size": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc",
    "an endless header": HEAD + b"X: " + b"a" * 50_000,
    "an upgrade": HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
}


@pytest.mark.fault(
    "leitmotif review", "a request that is no HTTP, or breaks off", outcome="a line; it goes on"
)
def test_a_malformed_request_is_a_line_at_most(build: Build, capfd: pytest.CaptureFixture) -> None:
    with running(build()) as server:
        for request in MALFORMED.values():
            for broken_off in (False, True):
                with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
                    client.sendall(request)
                    if broken_off:
                        client.shutdown(socket.SHUT_WR)
                    client.settimeout(0.2)
                    with contextlib.suppress(OSError):
                        client.recv(100)
        with urllib.request.urlopen(f"{server.address}/as/ana/review") as answer:
            assert answer.status == 200
    said = capfd.readouterr().err.splitlines()
    assert "Malformed HTTP request" in "".join(said)
    assert all(line.startswith(("WARNING:", "ERROR:")) for line in said), said
    assert len(said) <= 3 * 2 * len(MALFORMED)
