"""An S3 server, and small repositories that share through it."""

import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dvc.repo import Repo as DvcRepository

from leitmotif.share.remote.adding import Keys, add_remote
from tests.commands import run
from tests.share.remote.s3_server import KEY, SECRET, CannotInstallError, S3Server, install

REQUIRED = "LEITMOTIF_REQUIRE_S3"
"""Set where a missing server is a failure, and not a reason to skip: .ci/run."""
BUCKET = "shared"
TRACKS = 4

STAGE = """\
import json, os, sys
from pathlib import Path

stage, setting = sys.argv[1], int(sys.argv[2])
if "RUNS" in os.environ:
    with open(os.environ["RUNS"], "a") as runs:
        runs.write(stage + "\\n")
if stage == "features":
    folder = Path("data/features")
    folder.mkdir(parents=True)
    for number in range(4):
        content = bytes((setting + number + 7 * index) % 256 for index in range(2000))
        (folder / f"track_{number}.bin").write_bytes(content)
elif stage == "probes":
    total = sum(sum(path.read_bytes()) for path in sorted(Path("data/features").iterdir()))
    Path("data/probes.bin").write_bytes(str(total * setting).encode() * 100)
    Path("probes.json").write_text(json.dumps({"total": total * setting}))
else:
    Path("data/report").mkdir(parents=True)
    Path("data/report/page.html").write_text(Path("data/probes.bin").read_text()[:setting])
"""
PIPELINE = """\
stages:
  features:
    cmd: python stage.py features ${features.shift}
    params: [features]
    outs: [data/features]
  probes:
    cmd: python stage.py probes ${probes.factor}
    deps: [data/features]
    params: [probes]
    outs: [data/probes.bin]
    metrics: [probes.json: {cache: false}]
  report:
    cmd: python stage.py report ${report.length}
    deps: [data/probes.bin]
    params: [report]
    outs: [data/report]
"""
PARAMS = "features: {shift: 1}\nprobes: {factor: 3}\nreport: {length: 10}\n"


@pytest.fixture(scope="session")
def s3(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A running server with the bucket ``shared``; skips where it cannot be installed."""
    folder = tmp_path_factory.mktemp("s3")
    try:
        os.setxattr(folder, "user.leitmotif", b"1")  # where Swift keeps an object's size and date
        environment = install(repo_root / ".leitmotif" / "s3-server")
    except (CannotInstallError, OSError, AttributeError) as error:
        if os.environ.get(REQUIRED):
            raise
        pytest.skip(f"needs a real S3 server, which cannot be installed or run here: {error}")
    server = S3Server(environment, folder)
    try:
        server.start()
        server.make_bucket(BUCKET)
        yield server
    finally:
        server.stop()


@pytest.fixture(autouse=True)
def nobodys_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration and no credentials of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith("AWS_") and name != "AWS_CA_BUNDLE":
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR", "DVC_SITE_CACHE_DIR"):
        monkeypatch.setenv(name, str(home / name.lower()))
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Tester")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "tester@example.org")
    # `python` in the stages, and `dvc`, are those of this environment.
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose three stages have run, committed."""
    root = tmp_path_factory.mktemp("made") / "repository"
    root.mkdir()
    author = {
        f"GIT_{role}_{key}": value
        for role in ("AUTHOR", "COMMITTER")
        for key, value in (("NAME", "Tester"), ("EMAIL", "tester@example.org"))
    }
    more = {**author, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    run("git", "init", "--quiet", "--initial-branch=main", root=root)
    run("dvc", "init", "--quiet", root=root, **more)
    run("dvc", "config", "core.analytics", "false", root=root, **more)
    (root / "stage.py").write_text(STAGE)
    (root / "dvc.yaml").write_text(PIPELINE)
    (root / "params.yaml").write_text(PARAMS)
    (root / "data").mkdir()
    rows = [f'{{"track_id": "track_{number}", "path": "{number}.mp3"}}' for number in range(TRACKS)]
    (root / "data" / "manifest.jsonl").write_text("\n".join(rows) + "\n")
    run("dvc", "repro", "--quiet", root=root, **more)
    run("git", "add", "--all", root=root)
    run("git", "commit", "--quiet", "--message=one", root=root, **more)
    return root


@pytest.fixture
def repository(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that repository, as the current folder, with its cache."""
    root = tmp_path / "repository"
    shutil.copytree(made, root)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def url() -> str:
    """A place in the bucket that nobody else uses."""
    return f"s3://{BUCKET}/{secrets.token_hex(8)}"


@pytest.fixture
def shared(repository: Path, s3: S3Server, url: str) -> Path:
    """The repository with a remote, to which everything was pushed."""
    add_remote(repository, url, endpoint=s3.endpoint, keys=Keys(KEY, SECRET))
    with DvcRepository(str(repository)) as opened:
        opened.push()  # in this process, as starting dvc takes longer than pushing
    return repository
