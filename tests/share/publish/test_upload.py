"""Publishing to a hub: what arrives, what a second run does, and what stops it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from leitmotif.cli import app
from leitmotif.errors import LeitmotifError, StoreError
from leitmotif.share.publish.hub import asking, connect
from leitmotif.share.publish.publication import publication
from leitmotif.share.publish.remote import open_dataset
from leitmotif.share.publish.selection import select
from leitmotif.share.publish.upload import plan_upload, upload
from tests.share.publish.published_project import commit, lock
from tests.share.publish.publishing import NAME, publish, there
from tests.share.publish.writable_hub import READ_ONLY, TOKEN, WritableHub
from tests.waiting import wait_until


def refused(hub: WritableHub, *options: str) -> str:
    """Run the command, which has to refuse; returns what it says. The token is never in it."""
    done = CliRunner().invoke(app, ["publish", NAME, "--endpoint", hub.address, *options])
    assert isinstance(done.exception, LeitmotifError), done.output
    said = f"{done.output}{done.exception}"
    assert TOKEN not in said
    assert READ_ONLY not in said
    return said


def expected(project: Path) -> dict[str, bytes]:
    """Path and content of all that a publication holds."""
    payloads = publication(NAME, select(project)).payloads
    return {
        payload.row.path: payload.content
        if payload.content is not None
        else (project / payload.row.path).read_bytes()
        for payload in payloads
    }


def change(project: Path) -> None:
    """Another run: one clip has another content, one file of features is gone."""
    (project / "data" / "clips" / "a.wav").write_bytes(b"RIFF another clip a")
    (project / "data" / "features" / "free.safetensors").unlink()
    lock(project)
    commit(project)


def test_what_is_allowed_arrives_and_nothing_else(project: Path, hub: WritableHub) -> None:
    said = publish(hub)
    assert there(hub) == expected(project)
    made = hub.sets[NAME]
    assert len(made.commits) == 2  # the hub's own and ours
    assert not made.private
    assert f"tree/{made.branches['main']}" in said
    forbidden = [path.read_bytes() for path in (project / "data").rglob("*fixed.safetensors")]
    assert forbidden
    assert not set(forbidden) & set(hub.storage.values())


def test_a_second_run_has_nothing_to_do(project: Path, hub: WritableHub) -> None:
    publish(hub)
    commits, stored = dict(hub.sets[NAME].commits), list(hub.stored)
    assert "has all of it already" in publish(hub)
    assert hub.sets[NAME].commits == commits
    assert hub.stored == stored


def test_a_later_state_takes_the_place_of_the_earlier(project: Path, hub: WritableHub) -> None:
    publish(hub)
    hub.sets[NAME].commit("main", {**hub.sets[NAME].main, "picture.png": b"of a person"})
    change(project)
    stored = len(hub.stored)
    said = publish(hub)
    assert there(hub) == {**expected(project), "picture.png": b"of a person"}
    assert "data/features/free.safetensors" not in there(hub)
    assert len(hub.stored) == stored + 1  # the clip
    assert "left as they are: picture.png" in said
    publish(hub, "--overwrite")
    assert there(hub) == expected(project)


def test_a_private_data_set_is_made_private(project: Path, hub: WritableHub) -> None:
    publish(hub, "--private")
    assert hub.sets[NAME].private


def test_a_branch_is_made(project: Path, hub: WritableHub) -> None:
    hub.make(NAME)
    publish(hub, "--revision", "trial")
    assert there(hub) == {}
    branch = hub.sets[NAME].commits[hub.sets[NAME].branches["trial"]]
    assert set(expected(project)) <= set(branch)


@pytest.mark.fault("leitmotif publish", "--private, and the data set is public", outcome="refused")
def test_a_public_data_set_is_not_taken_for_private(project: Path, hub: WritableHub) -> None:
    hub.make(NAME)
    assert f"{NAME} is public" in refused(hub, "--private")
    assert there(hub) == {}


@pytest.mark.fault(
    "leitmotif publish",
    "a data set with other files, a foreign record, another publication, or a list of files that "
    "was changed there",
    outcome="refused, untouched; taken with --overwrite",
)
@pytest.mark.parametrize("what", ["files", "record", "source", "list"])
def test_what_was_not_made_here_is_not_overwritten(
    project: Path, hub: WritableHub, what: str
) -> None:
    made = hub.make(NAME)
    match what:
        case "files":
            made.commit("main", {**made.main, "README.md": b"# Mine", "a.bin": b"mine"})
        case "record":
            files = {"publication.json": b'{"format": "other"}', "manifest.jsonl": b"{}\n"}
            made.commit("main", {**made.main, **files})
        case "source":
            publish(hub)
            record = json.loads(made.main["publication.json"])
            record["source"] = "models/organism/reader on organism"
            text = json.dumps(record).encode()
            made.commit("main", {**made.main, "publication.json": text})
        case "list":  # the next publication would delete what it names
            publish(hub)
            made = hub.sets[NAME]
            row = json.loads(made.main["manifest.jsonl"].splitlines()[0])
            added = json.dumps({**row, "path": "theirs.bin"}).encode() + b"\n"
            listed = made.main["manifest.jsonl"] + added
            made.commit("main", {**made.main, "theirs.bin": b"1", "manifest.jsonl": listed})
    before = there(hub)
    assert "--overwrite" in refused(hub)
    assert there(hub) == before
    publish(hub, "--overwrite")
    assert there(hub) == expected(project)


@pytest.mark.fault(
    "leitmotif publish",
    "a card, table, tensor or clip of the data set that somebody changed there",
    outcome="refused, untouched; replaced with --overwrite, or once it is gone there",
)
@pytest.mark.parametrize(
    "path",
    ["README.md", "tracks.jsonl", "data/clips/a.wav", "data/features/free.safetensors"],
)
def test_what_somebody_changed_there_is_not_replaced(
    project: Path, hub: WritableHub, path: str
) -> None:
    publish(hub)
    made = hub.sets[NAME]
    theirs = made.main[path] + b"Words of theirs"
    made.commit("main", {**made.main, path: theirs})
    change(project)  # the clip would be replaced, the features deleted
    before = there(hub)
    assert f"found:    {path}" in refused(hub)
    assert there(hub) == before
    kept = {name: content for name, content in made.main.items() if name != path}
    made.commit("main", kept)
    publish(hub)
    assert there(hub) == expected(project)
    made.commit("main", {**made.main, "README.md": theirs})
    publish(hub, "--overwrite")
    assert there(hub) == expected(project)


@pytest.mark.fault(
    "leitmotif publish",
    "a record of an earlier version, which has no hash of the card",
    outcome="refused, since its card may be somebody's",
)
def test_a_card_without_a_hash_is_not_replaced(project: Path, hub: WritableHub) -> None:
    publish(hub)
    made = hub.sets[NAME]
    record = json.loads(made.main["publication.json"])
    del record["card_sha256"]
    made.commit("main", {**made.main, "publication.json": json.dumps(record).encode()})
    publish(hub)  # the card is the same
    made.commit("main", {**made.main, "publication.json": json.dumps(record).encode()})
    change(project)
    assert "found:    README.md" in refused(hub)


@pytest.mark.fault(
    "leitmotif publish",
    "killed in the middle of the upload",
    outcome="nothing is visible; the next run sends only the rest",
)
@pytest.mark.parametrize("after", [0, 7])
def test_a_killed_run_is_continued(
    project: Path, hub: WritableHub, tmp_path: Path, after: int
) -> None:
    process: list[subprocess.Popen[bytes]] = []

    def kill(count: int) -> None:
        if count == after:
            process[0].send_signal(signal.SIGKILL)
            process[0].wait()

    hub.on_store = kill
    arguments = ["publish", NAME, "--endpoint", hub.address]
    home = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": TOKEN}
    kept = {key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"}
    command = [sys.executable, "-m", "leitmotif", *arguments]
    process.append(subprocess.Popen(command, cwd=project, env={**kept, **home}))
    assert process[0].wait() == -signal.SIGKILL
    hub.on_store = lambda count: None
    wait_until(lambda: not hub.active)
    assert there(hub) == {}
    publish(hub)
    assert there(hub) == expected(project)
    assert len(hub.stored) == len(set(hub.stored))  # nothing was sent twice


@pytest.mark.fault(
    "leitmotif publish", "a file that changes while it is sent", outcome="nothing is committed"
)
@pytest.mark.parametrize("name", ["data/clips/a.wav", "data/swap_clips/1.wav"])
def test_a_file_that_changes_meanwhile_is_refused(
    project: Path, hub: WritableHub, name: str
) -> None:
    def write(count: int) -> None:
        (project / name).write_bytes(b"RIFF written")

    hub.on_store = write
    assert f"{name} changed while it was being published" in refused(hub)
    assert there(hub) == {}


@pytest.mark.fault(
    "leitmotif publish", "somebody else commits meanwhile", outcome="refused, theirs stays"
)
def test_another_commit_meanwhile_is_refused(project: Path, hub: WritableHub) -> None:
    theirs = {"theirs.md": b"theirs"}

    def commit_theirs(count: int) -> None:
        hub.sets[NAME].commit("main", theirs)

    hub.on_store = commit_theirs
    assert "the data set changed meanwhile" in refused(hub)
    assert there(hub) == theirs


@pytest.mark.fault(
    "leitmotif publish", "the hub commits other bytes than were sent", outcome="named"
)
def test_what_arrived_is_compared(project: Path, hub: WritableHub) -> None:
    hub.lose = True
    said = refused(hub)
    assert f"{NAME} does not hold what was committed" in said
    assert "18 files other than sent" in said
    hub.lose = False
    assert "were changed since they were published" in refused(hub)
    whole = expected(project)
    sound = {path: content for path, content in there(hub).items() if content == whole[path]}
    hub.sets[NAME].commit("main", sound)
    publish(hub)
    assert there(hub) == expected(project)


@pytest.mark.fault("leitmotif publish", "no token", outcome="named, with what to do")
def test_without_a_token(project: Path, hub: WritableHub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(project / "none"))
    said = refused(hub)
    assert "no token" in said
    assert "hf auth login" in said
    assert hub.requests == []


@pytest.mark.fault("leitmotif publish", "a wrong token, or one that may not write", outcome="named")
@pytest.mark.parametrize(
    ("token", "words"),
    [("hf_wrong", "does not accept the token"), (READ_ONLY, "may not write there")],
)
def test_a_token_without_the_right(
    project: Path, hub: WritableHub, monkeypatch: pytest.MonkeyPatch, token: str, words: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    said = refused(hub)
    assert words in said
    assert token not in said
    assert hub.sets == {}


@pytest.mark.fault(
    "leitmotif publish",
    "the hub has no room, is busy, or fails, at any request",
    outcome="named, with the status; the next run goes on",
)
@pytest.mark.parametrize(
    ("request_", "status", "words"),
    [
        ("PUT /storage", 413, "takes no more"),
        ("PUT /storage", 507, "takes no more"),
        ("PUT /storage", 403, "may not write there"),
        ("PUT /storage", 503, "the hub failed"),
        ("POST .*/commit/", 413, "takes no more"),
        ("POST .*/commit/", 500, "the hub failed"),
        ("POST .*/commit/", 409, "conflict"),
        ("POST .*/batch", 429, "slow down"),
        ("POST .*/preupload/", 500, "the hub failed"),
        ("POST .*/repos/create", 500, "the hub failed"),
    ],
)
def test_a_hub_that_refuses_is_quoted(
    project: Path, hub: WritableHub, request_: str, status: int, words: str
) -> None:
    hub.faults = [(request_, status, json.dumps({"error": "Storage says so"}).encode())]
    said = refused(hub)
    assert words in said
    assert f"status {status}" in said
    assert "Storage says so" in said
    assert NAME not in hub.sets or there(hub) == {}
    hub.faults = []
    publish(hub)
    assert there(hub) == expected(project)


@pytest.mark.fault("leitmotif publish", "storage refuses each file", outcome="named, in its words")
def test_a_quota_of_storage_is_quoted(project: Path, hub: WritableHub) -> None:
    hub.batch_error = {"code": 422, "message": "You have exceeded your quota"}
    assert "You have exceeded your quota" in refused(hub)
    assert there(hub) == {}


def send(hub: WritableHub, project: Path, *, patience: float) -> None:
    """What the command does, with less patience."""
    made = publication(NAME, select(project))
    api = connect(hub.address, patience=patience)
    state = open_dataset(api, NAME)
    upload(api, NAME, state, plan_upload(made, state), "Outputs")


@pytest.mark.fault(
    "leitmotif publish", "a hub that takes a request and is silent", outcome="named in bounded time"
)
@pytest.mark.parametrize("request_", ["GET .*/whoami", "POST .*/commit/"])
def test_a_silent_hub_is_given_up(project: Path, hub: WritableHub, request_: str) -> None:
    hub.silent = request_
    with pytest.raises(LeitmotifError, match="the hub cannot be reached"):
        send(hub, project, patience=0.2)
    assert NAME not in hub.sets or there(hub) == {}


@pytest.mark.fault("leitmotif publish", "no hub at the address", outcome="named in bounded time")
def test_no_hub_at_the_address(project: Path, hub: WritableHub) -> None:
    hub.address = "http://127.0.0.1:9"
    said = refused(hub)
    assert "the hub cannot be reached" in said


@pytest.mark.parametrize("name", ["planner", "a b/c", "a/b/c", "https://hub/a/b", "../a"])
def test_a_name_that_the_hub_does_not_allow(name: str, project: Path, hub: WritableHub) -> None:
    done = CliRunner().invoke(app, ["publish", name, "--endpoint", hub.address])
    assert isinstance(done.exception, LeitmotifError)
    assert "OWNER/NAME" in str(done.exception)
    assert hub.requests == []


@pytest.mark.fault("leitmotif publish", "HF_HUB_OFFLINE is set", outcome="named; nothing is asked")
def test_offline_mode_is_named(
    project: Path, hub: WritableHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set" in refused(hub)
    assert hub.requests == []


@pytest.mark.fault("leitmotif publish", "a hub without Xet", outcome="named, with what to set")
def test_a_hub_without_xet_is_named() -> None:
    with (
        pytest.raises(LeitmotifError, match="HF_HUB_DISABLE_XET=1"),
        asking("it is not complete"),
    ):
        raise RuntimeError("Network error: url (http://hub/api/datasets/a/b/xet-write-token/main)")


def test_a_vanished_file_is_a_store_error(project: Path, hub: WritableHub) -> None:
    made = publication(NAME, select(project))
    api = connect(hub.address)
    state = open_dataset(api, NAME)
    (project / "data" / "clips" / "b.wav").unlink()
    with pytest.raises(StoreError, match=r"data/clips/b\.wav changed"):
        upload(api, NAME, state, plan_upload(made, state), "Outputs")
    assert there(hub) == {}
