import os
import shutil
import signal
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from official_layout import Fault, Web, sha256

from leitmotif.corpus.sources.download import download
from leitmotif.errors import CorpusError
from tests.waiting import wait_until

CONTENT = bytes(range(256)) * 2000
FILE = "/shard.tar"


def fetch(web: Web, target: Path, **options: object) -> str:
    arguments: dict[str, object] = {
        "sha256": sha256(CONTENT),
        "max_bytes": 1 << 20,
        "retries": 3,
        "sleep": lambda seconds: None,
    }
    return download(web.url + FILE, target, **(arguments | options))  # type: ignore[arg-type]


@pytest.fixture
def target(tmp_path: Path, web: Web) -> Path:
    web.files[FILE] = CONTENT
    return tmp_path / "downloads" / "shard.tar"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_arrives_whole(web: Web, target: Path) -> None:
    assert fetch(web, target) == sha256(CONTENT)
    assert target.read_bytes() == CONTENT
    assert names(target.parent) == {"shard.tar", "shard.tar.origin.json"}


def test_a_file_that_is_there_is_hashed_and_not_fetched_again(web: Web, target: Path) -> None:
    fetch(web, target)
    fetch(web, target)
    assert len(web.requests) == 1


@pytest.mark.fault("download", "bytes of the finished file changed", outcome="fetched again")
def test_a_damaged_file_is_not_trusted(
    web: Web, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(web, target)
    damaged = bytearray(CONTENT)
    damaged[1000] ^= 1
    target.write_bytes(damaged)
    fetch(web, target)
    assert target.read_bytes() == CONTENT
    assert target.with_name("shard.tar.rejected").read_bytes() == damaged
    assert str(target) in capsys.readouterr().err


@pytest.mark.fault("download", "connection lost", outcome="resumed, the same bytes")
def test_a_transfer_cut_short_goes_on_where_it_stopped(web: Web, target: Path) -> None:
    web.faults[FILE] = [Fault(send=200_000), Fault(send=100_000)]
    fetch(web, target)
    assert target.read_bytes() == CONTENT
    assert web.ranges_asked(FILE) == [None, "bytes=200000-", "bytes=300000-"]


@pytest.mark.fault("download", "connection lost", outcome="resumed, the same bytes")
def test_a_transfer_is_resumed_by_a_later_call(web: Web, target: Path) -> None:
    web.faults[FILE] = [Fault(send=200_000)]
    with pytest.raises(CorpusError, match=r"shard\.tar could not be downloaded"):
        fetch(web, target, retries=0)
    assert not target.exists()
    assert target.with_name("shard.tar.partial").read_bytes() == CONTENT[:200_000]
    fetch(web, target, retries=0)
    assert target.read_bytes() == CONTENT
    assert web.ranges_asked(FILE) == [None, "bytes=200000-"]


@pytest.mark.fault("download", "process killed", outcome="resumed, the same bytes")
def test_a_killed_run_leaves_a_partial_file_and_the_next_one_resumes_it(
    web: Web, target: Path
) -> None:
    web.faults[FILE] = [Fault(send=300_000, stall=True)]
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from leitmotif.corpus.sources.download import download\n"
        "download(sys.argv[1], Path(sys.argv[2]), sha256=None, max_bytes=1 << 20, retries=0)"
    )
    process = subprocess.Popen([sys.executable, "-c", script, web.url + FILE, str(target)])
    kept = target.with_name("shard.tar.partial")
    try:
        assert web.stalled.wait(200)
        wait_until(lambda: kept.exists() and kept.stat().st_size >= 300_000)
        assert process.poll() is None
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert not target.exists()
    fetch(web, target, retries=0)
    assert target.read_bytes() == CONTENT
    assert web.ranges_asked(FILE) == [None, "bytes=300000-"]


@pytest.mark.fault("download", "connection lost at any bytes", outcome="resumed, the same bytes")
@given(
    content=st.binary(min_size=1, max_size=400),
    cuts=st.lists(st.integers(min_value=0, max_value=100), max_size=5),
    ranges=st.booleans(),
    validators=st.sampled_from([("ETag",), ("Last-Modified",), ("ETag", "Last-Modified"), ()]),
    weak=st.booleans(),
)
@settings(max_examples=25)
def test_no_pattern_of_interruptions_changes_the_bytes(
    running_web: Web,
    content: bytes,
    cuts: list[int],
    ranges: bool,
    validators: tuple[str, ...],
    weak: bool,
) -> None:
    running_web.reset()
    running_web.files[FILE] = content
    running_web.faults[FILE] = [Fault(send=cut) for cut in cuts]
    running_web.ranges, running_web.validators, running_web.weak = ranges, validators, weak
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "file")
        fetch(running_web, target, sha256=sha256(content), retries=len(cuts))
        assert target.read_bytes() == content


def test_a_server_without_ranges_is_started_again(web: Web, target: Path) -> None:
    web.ranges = False
    web.faults[FILE] = [Fault(send=200_000)]
    fetch(web, target)
    assert target.read_bytes() == CONTENT
    assert web.ranges_asked(FILE) == [None, "bytes=200000-"]


@pytest.mark.fault("download", "a server that cannot confirm what it sent", outcome="started again")
@pytest.mark.parametrize(("validators", "weak"), [((), False), (("ETag",), True)])
def test_nothing_is_resumed_that_the_server_cannot_confirm(
    web: Web, target: Path, validators: tuple[str, ...], weak: bool
) -> None:
    web.validators, web.weak = validators, weak
    web.faults[FILE] = [Fault(send=200_000)]
    fetch(web, target)
    assert target.read_bytes() == CONTENT
    assert web.ranges_asked(FILE) == [None, None]


@pytest.mark.fault("download", "the file changes on the server", outcome="started again")
def test_a_file_that_changed_in_between_is_started_again(web: Web, target: Path) -> None:
    web.files[FILE] = CONTENT[::-1]
    web.faults[FILE] = [Fault(send=200_000)]
    with pytest.raises(CorpusError):
        fetch(web, target, retries=0)
    web.files[FILE] = CONTENT
    fetch(web, target)
    assert target.read_bytes() == CONTENT


def test_the_partial_file_of_another_address_is_not_resumed(web: Web, target: Path) -> None:
    web.files["/other"] = CONTENT[::-1]
    web.faults["/other"] = [Fault(send=200_000)]
    with pytest.raises(CorpusError):
        download(web.url + "/other", target, sha256=None, max_bytes=1 << 20, retries=0)
    fetch(web, target, retries=0)
    assert target.read_bytes() == CONTENT
    assert web.ranges_asked(FILE) == [None]


@pytest.mark.fault("download", "a server that sends another range", outcome="not appended")
def test_a_wrong_range_is_not_appended(web: Web, target: Path) -> None:
    wrong = {"Content-Range": f"bytes 7-{len(CONTENT) - 1}/{len(CONTENT)}"}
    web.faults[FILE] = [Fault(send=200_000), Fault(headers=wrong)]
    fetch(web, target)
    assert target.read_bytes() == CONTENT
    assert web.ranges_asked(FILE) == [None, "bytes=200000-", None]


def test_a_complete_partial_file_only_gets_its_name(web: Web, target: Path) -> None:
    fetch(web, target)
    target.rename(target.with_name("shard.tar.partial"))
    fetch(web, target)
    assert target.read_bytes() == CONTENT
    assert web.ranges_asked(FILE) == [None, f"bytes={len(CONTENT)}-"]


@pytest.mark.fault("download", "a partial file that is too long", outcome="started again")
def test_a_partial_file_longer_than_the_file_is_dropped(web: Web, target: Path) -> None:
    fetch(web, target)
    target.unlink()
    target.with_name("shard.tar.partial").write_bytes(CONTENT + b"more")
    fetch(web, target)
    assert target.read_bytes() == CONTENT


@pytest.mark.fault("download", "bytes of the partial file changed", outcome="fetched again")
def test_a_damaged_partial_file_costs_one_more_attempt(web: Web, target: Path) -> None:
    web.faults[FILE] = [Fault(send=200_000)]
    with pytest.raises(CorpusError):
        fetch(web, target, retries=0)
    kept = target.with_name("shard.tar.partial")
    kept.write_bytes(b"?" + CONTENT[1:200_000])
    fetch(web, target, retries=1)
    assert target.read_bytes() == CONTENT


@pytest.mark.fault("download", "server errors", outcome="tried again, then named")
def test_a_server_error_is_tried_again_after_growing_waits(
    web: Web, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    web.faults[FILE] = [Fault(status=500), Fault(status=503), Fault(status=429)]
    waits: list[float] = []
    fetch(web, target, sleep=waits.append)
    assert target.read_bytes() == CONTENT
    assert len(waits) == 3
    assert all(base / 2 <= wait <= base for base, wait in zip((1.0, 2.0, 4.0), waits, strict=True))
    said = capsys.readouterr().err
    assert all(f"attempt {n} of" in said for n in (2, 3, 4)), said
    assert "500" in said


def test_attempts_are_counted(web: Web, target: Path) -> None:
    web.faults[FILE] = [Fault(status=500)] * 9
    with pytest.raises(CorpusError, match=r"shard\.tar could not be downloaded .* in 3 attempt"):
        fetch(web, target, retries=2)
    assert len(web.requests) == 3
    assert not target.exists()


def test_a_missing_file_is_not_asked_for_again(web: Web, target: Path) -> None:
    del web.files[FILE]
    with pytest.raises(CorpusError, match=r"shard\.tar cannot be had[^$]*404"):
        fetch(web, target)
    assert len(web.requests) == 1
    assert names(target.parent) == set()


@pytest.mark.fault("download", "no server", outcome="named error")
def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="file could not be downloaded"):
        download("http://127.0.0.1:9/file", tmp_path / "file", sha256=None, max_bytes=1, retries=0)
    assert names(tmp_path) == set()


@pytest.mark.fault("download", "another checksum than promised", outcome="named, not used")
def test_a_wrong_checksum_is_reported_kept_aside_and_fetched_afresh(web: Web, target: Path) -> None:
    web.files[FILE] = CONTENT[::-1]
    with pytest.raises(CorpusError) as caught:
        fetch(web, target)
    message = str(caught.value)
    assert "shard.tar" in message
    assert sha256(CONTENT) in message
    assert sha256(CONTENT[::-1]) in message
    assert not target.exists()
    assert target.with_name("shard.tar.rejected").read_bytes() == CONTENT[::-1]
    assert len(web.requests) == 1

    web.files[FILE] = CONTENT
    fetch(web, target)
    assert target.read_bytes() == CONTENT
    assert web.ranges_asked(FILE) == [None, None]


def test_without_a_promise_the_file_is_held_to_what_first_came(web: Web, target: Path) -> None:
    fetch(web, target, sha256=None)
    fetch(web, target, sha256=None)
    assert len(web.requests) == 1
    target.write_bytes(b"tampered")
    fetch(web, target, sha256=None)
    assert target.read_bytes() == CONTENT
    assert len(web.requests) == 2


def test_without_a_promise_the_file_of_another_address_is_not_kept(web: Web, target: Path) -> None:
    fetch(web, target, sha256=None)
    web.files["/other"] = CONTENT[::-1]
    download(web.url + "/other", target, sha256=None, max_bytes=1 << 20, retries=0)
    assert target.read_bytes() == CONTENT[::-1]


@pytest.mark.fault("download", "a file larger than allowed", outcome="refused")
def test_a_file_announced_as_too_large_is_not_waited_for(web: Web, target: Path) -> None:
    web.faults[FILE] = [Fault(send=0, stall=True)]
    with pytest.raises(CorpusError, match=r"shard\.tar .* is larger"):
        fetch(web, target, max_bytes=len(CONTENT) - 1)
    assert names(target.parent) == set()


@pytest.mark.fault("download", "a file larger than allowed", outcome="refused")
@pytest.mark.parametrize("chunked", [False, True])
def test_a_file_larger_than_allowed_is_refused(web: Web, target: Path, chunked: bool) -> None:
    web.faults[FILE] = [Fault(chunked=chunked)]
    with pytest.raises(CorpusError, match=r"shard\.tar .* is larger"):
        fetch(web, target, max_bytes=len(CONTENT) - 1)
    assert not target.exists()
    assert not target.with_name("shard.tar.partial").exists()


@pytest.mark.fault("download", "a compressed body", outcome="refused")
def test_a_compressed_body_is_refused(web: Web, target: Path) -> None:
    web.faults[FILE] = [Fault(headers={"Content-Encoding": "gzip"})]
    with pytest.raises(CorpusError, match="compressed"):
        fetch(web, target)
    assert not target.exists()


def test_redirects_are_followed(web: Web, target: Path) -> None:
    web.redirects["/old"] = FILE
    download(web.url + "/old", target, sha256=sha256(CONTENT), max_bytes=len(CONTENT), retries=0)
    assert target.read_bytes() == CONTENT


@pytest.mark.fault("download", "a redirect to a local file, a loop", outcome="refused")
@pytest.mark.parametrize("goal", ["file:///etc/hostname", "ftp://127.0.0.1/file", "/loop"])
def test_redirects_lead_only_to_files_on_the_web(web: Web, target: Path, goal: str) -> None:
    web.redirects["/loop"] = goal
    with pytest.raises(CorpusError, match="/loop does not lead to a file"):
        download(web.url + "/loop", target, sha256=None, max_bytes=1 << 20, retries=5)
    assert names(target.parent) == set()


@pytest.mark.fault("download", "a redirect away from TLS", outcome="refused")
def test_a_redirect_away_from_tls_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.scheme == "https":
            return httpx.Response(302, headers={"Location": "http://example.org/file"})
        return httpx.Response(200, content=b"from anyone on the way")

    client = partial(httpx.Client, transport=httpx.MockTransport(answer))
    monkeypatch.setattr("leitmotif.corpus.sources.download.httpx.Client", client)
    with pytest.raises(CorpusError, match="without TLS"):
        download("https://example.org/file", tmp_path / "f", sha256=None, max_bytes=99, retries=0)
    assert names(tmp_path) == set()


@pytest.mark.fault(
    "download", "too little room on the disk", outcome="refused before the first byte"
)
def test_a_file_that_does_not_fit_is_not_begun(
    web: Web, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(target.parents[1])._replace(free=len(CONTENT) - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(CorpusError, match=r"shard\.tar does not fit"):
        fetch(web, target)
    assert names(target.parent) == set()
