"""A small pipeline is shared through a real S3 server, and reproduced in a second clone."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from leitmotif.errors import LeitmotifError
from leitmotif.share.remote.adding import RETRIES, Keys, add_remote
from leitmotif.share.remote.audit import audit
from leitmotif.share.remote.opening import open_remote
from leitmotif.share.revisions import working_tree
from tests.commands import run
from tests.share.remote.s3_server import KEY, SECRET, S3Server
from tests.waiting import wait_until


@pytest.fixture
def clone(shared: Path, s3: S3Server, url: str) -> Path:
    """A second clone, in which nothing was pulled yet."""
    run("git", "add", "--all", root=shared)
    run("git", "commit", "--quiet", "--message=remote", root=shared)
    root = shared.parent / "clone"
    run("git", "clone", "--quiet", str(shared), str(root), root=shared)
    add_remote(root, url, endpoint=s3.endpoint, keys=Keys(KEY, SECRET))
    return root


def ran(root: Path) -> list[str]:
    """The stages that ran in a repository, and forget them."""
    runs = root.parent / "runs"
    stages = runs.read_text().split() if runs.exists() else []
    runs.unlink(missing_ok=True)
    return stages


def test_a_second_clone_has_nothing_to_do(shared: Path, clone: Path) -> None:
    assert "up to date" in run("dvc", "push", root=shared)
    run("dvc", "pull", "--quiet", root=clone)
    runs = str(clone.parent / "runs")
    assert "up to date" in run("dvc", "repro", root=clone, RUNS=runs)
    assert ran(clone) == []
    assert run("git", "status", "--short", root=clone) == ""


def test_a_changed_setting_runs_its_own_stages(shared: Path, clone: Path) -> None:
    params = clone / "params.yaml"
    params.write_text(params.read_text().replace("length: 10", "length: 20"))
    runs = str(clone.parent / "runs")
    run("dvc", "repro", "--pull", "--allow-missing", root=clone, RUNS=runs)
    assert ran(clone) == ["report"]
    assert not (clone / "data/features").exists()  # no stage that ran reads them
    params.write_text(params.read_text().replace("factor: 3", "factor: 4"))
    run("dvc", "repro", "--pull", "--allow-missing", root=clone, RUNS=runs)
    assert ran(clone) == ["probes", "report"]
    run("dvc", "push", "--quiet", root=clone)
    with open_remote(clone) as remote:
        assert audit(remote, working_tree(clone)).faults == ()


MANY = 300


@pytest.fixture
def many(repository: Path, s3: S3Server, url: str) -> Path:
    """A repository with a folder of many files, of which nothing was pushed yet."""
    add_remote(repository, url, endpoint=s3.endpoint, keys=Keys(KEY, SECRET))
    folder = repository / "data" / "many"
    folder.mkdir()
    for number in range(MANY):
        (folder / f"{number}").write_bytes(str(number).encode() * 1000)
    (repository / "dvc.yaml").write_text("stages:\n  many: {cmd: exit 1, outs: [data/many]}\n")
    run("dvc", "commit", "--force", root=repository)
    return repository


def pushing(root: Path) -> "subprocess.Popen[str]":
    """A push under way, of which the server has some objects."""
    process = subprocess.Popen(
        ["dvc", "push"],
        cwd=root,
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    with open_remote(root) as remote:

        def begun() -> bool:
            remote.files.invalidate_cache()
            return len(remote.files.find(remote.store.path)) > 5

        wait_until(lambda: process.poll() is not None or begun())
    return process


@pytest.mark.fault(
    "dvc push to S3",
    "the client is killed",
    outcome="the audit counts what is missing; push goes on",
)
def test_a_push_that_was_killed_is_completed(many: Path) -> None:
    process = pushing(many)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    with open_remote(many) as remote:
        found = audit(remote, working_tree(many))
        assert {fault.kind for fault in found.faults} == {"missing"}
        assert 1 < len(found.faults) < found.objects == MANY + 1
        assert found.stages == ["many"]
        run("dvc", "push", root=many)
        assert audit(remote, working_tree(many)).faults == ()


@pytest.mark.fault(
    "dvc push to S3", "the server is killed", outcome="push names the server and ends; push goes on"
)
def test_a_push_ends_when_the_server_is_gone(many: Path, s3: S3Server) -> None:
    assert "retry_mode = standard" in (many / RETRIES).read_text()  # what lets it end
    process = pushing(many)
    s3.kill("proxy")
    try:
        said, _ = process.communicate()
        with open_remote(many) as remote, pytest.raises(LeitmotifError, match="no connection"):
            audit(remote, working_tree(many))
    finally:
        s3.run("proxy")
        s3.wait()
    assert process.returncode == 1
    assert f'Could not connect to the endpoint URL: "{s3.endpoint}' in said
    assert "failed to push data to the cloud" in said
    run("dvc", "push", root=many)
    with open_remote(many) as remote:
        assert audit(remote, working_tree(many)).faults == ()
