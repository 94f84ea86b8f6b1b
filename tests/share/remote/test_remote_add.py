"""A remote is written into DVC's configuration once it works, and every revision still loads."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from leitmotif.cli import app
from leitmotif.errors import LeitmotifError
from leitmotif.share.remote.adding import Keys, add_remote
from leitmotif.share.remote.opening import open_remote
from leitmotif.share.remote.workspace import check_workspace
from tests.commands import run
from tests.share.remote.s3_server import KEY, READER_KEY, READER_SECRET, SECRET, S3Server, free_port

GOOD = Keys(KEY, SECRET)
CONFIG = (".dvc/config", ".dvc/config.local")


def config(root: Path) -> dict[str, bytes]:
    paths = [path for path in (root / ".dvc").iterdir() if path.is_file()]
    return {path.name: path.read_bytes() for path in paths}


def refused(root: Path, url: str, **settings: object) -> LeitmotifError:
    """The error with which a remote is refused, with nothing written."""
    before = config(root)
    with pytest.raises(LeitmotifError) as caught:
        add_remote(root, url, **settings)  # type: ignore[arg-type]
    assert config(root) == before
    return caught.value


def test_older_revisions_load_beside_secrets(repository: Path, s3: S3Server, url: str) -> None:
    done = CliRunner().invoke(
        app, ["remote", "add", url, "--endpoint", s3.endpoint, "--keys"], input=f"{KEY}\n{SECRET}\n"
    )
    assert done.exit_code == 0, done.output
    assert "an object was written, read back and deleted" in done.output
    shown = run("dvc", "metrics", "diff", "HEAD", "--json", root=repository)
    assert json.loads(shown) == {}
    (repository / "params.yaml").write_text(
        (repository / "params.yaml").read_text().replace("factor: 3", "factor: 4")
    )
    run("dvc", "repro", "--quiet", root=repository)
    run("git", "commit", "--quiet", "--all", "--message=two", root=repository)
    changed = json.loads(run("dvc", "metrics", "diff", "HEAD~1", "--json", root=repository))
    total = changed["probes.json"]["total"]
    assert total["old"] * 4 == total["new"] * 3
    assert SECRET not in (repository / CONFIG[0]).read_text()
    run("dvc", "push", "--quiet", "--all-commits", root=repository)


def test_dvc_itself_loads_no_older_revision_where_the_url_is_shared_alone(
    repository: Path, s3: S3Server, url: str
) -> None:
    """What DVC's documentation suggests; should it work one day, ``add`` can become simpler."""
    run("dvc", "remote", "add", "--default", "storage", url, root=repository)
    run("dvc", "remote", "modify", "--local", "storage", "access_key_id", KEY, root=repository)
    assert "expected 'url'" in run("dvc", "metrics", "diff", "HEAD", root=repository)
    add_remote(repository, url, endpoint=s3.endpoint, keys=GOOD, replace=True)
    assert "expected 'url'" not in run("dvc", "metrics", "diff", "HEAD", root=repository)


def test_what_each_file_gets(repository: Path, s3: S3Server, url: str) -> None:
    (repository / CONFIG[0]).write_text(
        "# Mine.\n[core]\n    remote = other\n    analytics = false\n"
    )
    written = add_remote(repository, url, endpoint=s3.endpoint, keys=GOOD)
    assert set(map(str, written)) == {*CONFIG, ".dvc/s3.ini"}
    shared, local = ((repository / path).read_text() for path in CONFIG)
    for text in (shared, local):
        assert f"url = {url}\n" in text
        assert "verify = true" in text
        assert text.count("remote = storage") == 1
    assert "secret" not in shared
    assert shared.startswith("# Mine.\n[core]\n")
    assert "analytics = false" in shared
    assert f"secret_access_key = {SECRET}" in local
    assert stat.S_IMODE((repository / CONFIG[1]).stat().st_mode) == 0o600
    assert "config.local" not in run("git", "status", "--short", root=repository)


def test_local_leaves_what_is_in_git(repository: Path, s3: S3Server, url: str) -> None:
    before = (repository / CONFIG[0]).read_bytes()
    add_remote(repository, url, endpoint=s3.endpoint, keys=GOOD, local=True)
    assert (repository / CONFIG[0]).read_bytes() == before
    run("dvc", "push", "--quiet", root=repository)


def test_a_profile_keeps_secrets_out_of_the_repository(
    repository: Path, s3: S3Server, url: str
) -> None:
    aws = Path.home() / ".aws"
    aws.mkdir()
    (aws / "credentials").write_text(
        f"[music]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
    )
    add_remote(repository, url, endpoint=s3.endpoint, profile="music")
    assert SECRET not in (repository / CONFIG[1]).read_text()
    assert "music" not in (repository / CONFIG[0]).read_text()
    run("dvc", "push", "--quiet", root=repository)
    error = refused(repository, url, endpoint=s3.endpoint, profile="nobody")
    assert "no such profile" in str(error)


def test_a_clone_completes_the_shared_remote(shared: Path, s3: S3Server, url: str) -> None:
    run("git", "add", ".dvc", root=shared)
    run("git", "commit", "--quiet", "--message=remote", root=shared)
    clone = shared.parent / "clone"
    run("git", "clone", "--quiet", str(shared), str(clone), root=shared.parent)
    add_remote(clone, url, endpoint=s3.endpoint, keys=GOOD)
    assert run("git", "status", "--short", root=clone) == ""
    # Once more, without the keys: those that are there stay.
    add_remote(clone, url, endpoint=s3.endpoint)
    run("dvc", "pull", "--quiet", root=clone)


def test_another_remote_of_the_name_is_replaced_when_asked(
    repository: Path, s3: S3Server, url: str
) -> None:
    add_remote(repository, url, endpoint=s3.endpoint, keys=GOOD)
    other = f"{url}/other"
    error = refused(repository, other, endpoint=s3.endpoint, keys=GOOD)
    assert error.found == f"{url} in .dvc/config"
    add_remote(repository, other, endpoint=s3.endpoint, keys=GOOD, replace=True)
    assert (repository / CONFIG[0]).read_text().count("['remote") == 1
    assert f"url = {other}\n" in (repository / CONFIG[1]).read_text()


def test_a_folder_is_a_remote(repository: Path, tmp_path: Path) -> None:
    add_remote(repository, str(tmp_path / "disk"))
    assert list((tmp_path / "disk").rglob("*")) == []
    run("dvc", "push", "--quiet", root=repository)
    assert any((tmp_path / "disk" / "files" / "md5").iterdir())


@pytest.mark.fault("remote add", "a folder that cannot be written", outcome="refused, no setting")
def test_a_folder_that_cannot_be_written_is_refused(repository: Path) -> None:
    assert "cannot be written" in str(refused(repository, "/proc/nowhere"))


@pytest.mark.parametrize(
    ("url", "settings", "what"),
    [
        ("s3://key:secret@bucket/x", {}, "the URL has credentials in it"),
        ("s3://bucket/x", {"endpoint": "https://me:secret@host"}, "the endpoint has credentials"),
        ("s3://bucket/x", {"endpoint": "host:9000"}, "the endpoint is no address"),
        ("s3:///x", {}, "names no bucket"),
        ("s3://bucket/x", {"name": 'a"b'}, "no name of a remote"),
        ("/tmp/x", {"profile": "p"}, "are for buckets"),
        ("s3://bucket/x", {"profile": "p", "keys": GOOD}, "a profile and keys"),
        ("s3://bucket/x", {"endpoint": "http://"}, "the endpoint is no address"),
        ("s3://bucket/x", {"endpoint": "http://[::1"}, "the endpoint is no address"),
        ("s3://bucket/x", {"endpoint": "http://host:99999"}, "the endpoint is no address"),
        ("s3://bucket/x", {"endpoint": "http://a b"}, "the endpoint is no address"),
        ("s3://bucket/x", {"profile": "%(p)s"}, "cannot be written for DVC"),
        ("/tmp/%(x)s", {}, "cannot be written for DVC"),
        ("a\nb", {}, "cannot be written for DVC"),
        ("a\0b", {}, "cannot be written for DVC"),
        (" ", {}, "cannot be written for DVC"),
        ("~nobody-of-this-name/x", {}, "there is no such folder"),
        ("ssh://host/x", {}, "DVC does not reach this kind of place"),
        ("gopher://host/x", {}, "DVC cannot use its configuration"),
    ],
)
@pytest.mark.fault("remote add", "an address with secrets, or none", outcome="refused by name")
def test_addresses_that_cannot_be_meant(
    repository: Path, url: str, settings: dict[str, object], what: str
) -> None:
    assert what in str(refused(repository, url, **settings))


def test_secrets_in_the_shared_file_are_named(repository: Path) -> None:
    section = "['remote \"storage\"']\n    url = s3://b/x\n    secret_access_key = s\n"
    (repository / CONFIG[0]).write_text(section)
    error = refused(repository, "s3://b/x")
    assert error.found == "secret_access_key"


@pytest.mark.parametrize(
    ("keys", "place", "what"),
    [
        (Keys(KEY, "wrong"), None, "the server refuses the credentials"),
        (Keys("test:nobody", SECRET), None, "the server refuses the credentials"),
        (Keys(READER_KEY, READER_SECRET), None, "the server refuses the right"),
        (None, None, "there are no credentials"),
        (GOOD, "s3://no-such-bucket/x", "there is no such bucket"),
        (GOOD, "s3://No_Bucket!/x", "the request cannot be made"),
    ],
)
@pytest.mark.fault(
    "remote add", "wrong or no credentials, no right, no bucket", outcome="named error, no setting"
)
def test_what_the_server_refuses_is_named(
    repository: Path, s3: S3Server, url: str, keys: Keys | None, place: str | None, what: str
) -> None:
    error = refused(repository, place or url, endpoint=s3.endpoint, keys=keys)
    assert what in error.what
    assert error.expected
    assert error.fix


@pytest.mark.parametrize("endpoint", ["nobody", "https", "unknown host"])
@pytest.mark.fault(
    "remote add", "no server, another protocol, no network", outcome="named error, no setting"
)
def test_a_server_that_cannot_be_reached_is_named(
    repository: Path, s3: S3Server, url: str, endpoint: str
) -> None:
    addresses = {
        "nobody": f"http://127.0.0.1:{free_port()}",
        "https": s3.endpoint.replace("http:", "https:"),
        "unknown host": "http://leitmotif.invalid",
    }
    error = refused(repository, url, endpoint=addresses[endpoint], keys=GOOD)
    assert "there is no connection to the server" in error.what


@pytest.mark.fault("remote add", "a full quota", outcome="named error, no setting")
def test_a_full_quota_is_named(repository: Path, s3: S3Server) -> None:
    s3.make_bucket("full-when-added")
    s3.limit("full-when-added", 10)
    error = refused(repository, "s3://full-when-added/x", endpoint=s3.endpoint, keys=GOOD)
    assert "the quota is used up" in error.what


@pytest.mark.parametrize("place", ["data/features", "data/features/x", ".git/x", ".dvc/cache"])
@pytest.mark.fault(
    "remote add", "a folder that a stage, git or DVC deletes", outcome="refused, no setting"
)
def test_a_folder_that_others_delete_is_no_remote(repository: Path, place: str) -> None:
    assert "cannot be a remote" in str(refused(repository, place))


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.mkdir(),
        os.mkfifo,
        lambda path: path.symlink_to(path.name),
        lambda path: path.symlink_to("nowhere"),
        lambda path: path.write_bytes(b"\xff\xfe"),
        lambda path: path.write_bytes(b"[core\n"),
        lambda path: path.write_bytes(b"['remote \"x\"']\nurl = %(y)s\n"),
        lambda path: path.write_bytes(b"['remote \"x\"']\nkey = 1\n"),
    ],
    ids=["folder", "pipe", "circle", "broken link", "UTF-16", "torn", "%(y)s", "no url"],
)
@pytest.mark.parametrize("file", CONFIG)
@pytest.mark.fault(
    "DVC's configuration", "a folder, pipe, link or text that is none", outcome="refused by name"
)
def test_a_configuration_that_is_none_is_named(
    repository: Path, file: str, make: Callable[[Path], None]
) -> None:
    (repository / file).unlink(missing_ok=True)
    make(repository / file)
    with pytest.raises(LeitmotifError, match=r"config|DVC"):
        add_remote(repository, "/tmp/x", local=True)
    with pytest.raises(LeitmotifError, match=r"config|DVC"), open_remote(repository):
        pass
    with pytest.raises(LeitmotifError, match=r"config|DVC"):
        check_workspace(repository)
