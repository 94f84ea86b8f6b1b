"""Objects of a real remote are damaged; what DVC says, what the audit says, what repair does."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from leitmotif.cli import app
from leitmotif.errors import LeitmotifError
from leitmotif.share.outs import revision_outs
from leitmotif.share.remote.audit import RemoteAudit, audit
from leitmotif.share.remote.named import entries_of
from leitmotif.share.remote.opening import Remote, open_remote
from leitmotif.share.remote.repair import repair
from leitmotif.share.revisions import working_tree
from tests.commands import run
from tests.share.remote.s3_server import S3Server


@dataclass
class Shared:
    """A repository, its remote, and the objects of ``data/features``."""

    root: Path
    remote: Remote

    def oid(self, path: str) -> str:
        """The object of an output, or of a file in a folder."""
        for out in revision_outs(working_tree(self.root)):
            if path == out.path:
                return out.md5 or ""
            if path.startswith(f"{out.path}/"):
                listing = entries_of(self.remote.cached(out.md5 or "").read_bytes())
                return (listing or {})[path.removeprefix(f"{out.path}/")]
        raise KeyError(path)

    def put(self, path: str, content: bytes) -> None:
        self.remote.files.pipe_file(self.remote.path_of(self.oid(path)), content)

    def delete(self, path: str) -> None:
        self.remote.files.rm_file(self.remote.path_of(self.oid(path)))

    def content(self, path: str) -> bytes:
        return self.remote.cached(self.oid(path)).read_bytes()

    def audit(self, **options: object) -> RemoteAudit:
        return audit(self.remote, working_tree(self.root), **options)  # type: ignore[arg-type]


@pytest.fixture
def there(shared: Path) -> Iterator[Shared]:
    with open_remote(shared) as remote:
        yield Shared(shared, remote)


TRACK = "data/features/track_1.bin"
FOLDER = "data/features"
FILE = "data/probes.bin"
DAMAGE: dict[str, tuple[Callable[[Shared], None], list[str], list[str]]] = {
    "overwritten": (
        lambda there: there.put(TRACK, b"x" * len(there.content(TRACK))),
        ["wrong bytes"],
        [TRACK],
    ),
    "truncated": (
        lambda there: there.put(TRACK, there.content(TRACK)[:100]),
        ["truncated"],
        [TRACK],
    ),
    "emptied": (lambda there: there.put(FILE, b""), ["truncated"], [FILE]),
    "deleted": (lambda there: there.delete(TRACK), ["missing"], [TRACK]),
    "listing deleted": (lambda there: there.delete(FOLDER), ["missing"], [FOLDER]),
    "listing overwritten": (lambda there: there.put(FOLDER, b"[]"), ["truncated"], [FOLDER]),
    "swapped": (
        lambda there: there.put(TRACK, there.content("data/features/track_2.bin")),
        ["wrong bytes"],
        [TRACK],
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.fault(
    "DVC remote on S3",
    "objects overwritten, truncated, emptied, swapped or deleted, listings of folders too",
    outcome="the audit names each with stage and track; repair puts it right, from hashed objects",
)
def test_damage_is_named_and_repaired(there: Shared, damage: str) -> None:
    injure, kinds, paths = DAMAGE[damage]
    injure(there)
    found = there.audit()
    assert [fault.kind for fault in found.faults] == kinds
    assert [use.path for fault in found.faults for use in fault.uses] == paths
    assert found.stages == (["probes"] if paths == [FILE] else ["features"])
    assert found.tracks == (["track_1"] if paths == [TRACK] else [])
    outcome = repair(there.remote, found)
    assert (len(outcome.mended), outcome.left) == (1, [])
    assert there.audit().faults == ()


def test_after_a_repair_a_clone_pulls_everything(there: Shared) -> None:
    there.put(TRACK, b"x")
    there.delete(FOLDER)
    repair(there.remote, there.audit())
    clone = there.root.parent / "clone"
    run("git", "clone", "--quiet", str(there.root), str(clone), root=there.root)
    for name in ("config", "config.local", "s3.ini"):
        (clone / ".dvc" / name).write_bytes((there.root / ".dvc" / name).read_bytes())
    run("dvc", "pull", "--quiet", root=clone)
    for path in (TRACK, FILE):
        assert (clone / path).read_bytes() == there.content(path)


def test_dvc_notices_nothing_when_it_pushes(there: Shared) -> None:
    """Why an audit is needed; should DVC notice one day, it no longer is."""
    there.put(TRACK, b"x")
    there.delete("data/features/track_2.bin")
    assert "up to date" in run("dvc", "push", root=there.root)
    assert "in sync" in run("dvc", "status", "--cloud", root=there.root)
    assert len(there.audit().faults) == 2


@pytest.mark.fault(
    "DVC remote on S3", "damage there and in the cache", outcome="named, and nothing is uploaded"
)
def test_a_damaged_cache_repairs_nothing(there: Shared) -> None:
    cached = there.remote.cached(there.oid(TRACK))
    cached.chmod(0o644)
    cached.write_bytes(cached.read_bytes()[:-1] + b"?")
    there.delete(TRACK)
    other = "data/features/track_2.bin"
    there.put(other, b"bad")
    outcome = repair(there.remote, there.audit())
    ((fault, reason),) = outcome.left
    assert fault.uses[0].path == TRACK
    assert reason.startswith("damaged in this machine's cache as well")
    assert [fault.uses[0].path for fault in outcome.mended] == [other]
    assert [fault.uses[0].path for fault in there.audit().faults] == [TRACK]
    cached.unlink()
    ((_, reason),) = repair(there.remote, there.audit()).left
    assert reason == "not in this machine's cache"


@pytest.mark.fault(
    "DVC remote on S3", "a folder's listing lost there and here", outcome="its files are not known"
)
def test_a_listing_that_nobody_has(there: Shared) -> None:
    there.delete(FOLDER)
    there.remote.cached(there.oid(FOLDER)).unlink()
    faults = there.audit().faults
    assert [fault.kind for fault in faults] == ["missing", "files not known"]
    assert len(repair(there.remote, there.audit()).left) == 2


@pytest.mark.fault(
    "DVC remote on S3",
    "orphans: an object nobody names, uploads in parts that did not end",
    outcome="counted apart from problems",
)
def test_what_no_revision_names_is_counted(there: Shared) -> None:
    assert there.audit().unnamed == {}
    files, path = there.remote.files, there.remote.path_of("ab" + "c" * 30)
    files.pipe_file(path, b"orphan")
    name, _, key = path.partition("/")
    files.call_s3("create_multipart_upload", Bucket=name, Key=key + "d")
    found = there.audit()
    assert found.faults == ()
    assert found.unnamed == {"ab" + "c" * 30: 6}
    assert found.unfinished == 1


def test_objects_of_other_commits_have_names_too(there: Shared) -> None:
    root, before = there.root, there.oid(FILE)
    (root / "params.yaml").write_text(
        (root / "params.yaml").read_text().replace("factor: 3", "factor: 5")
    )
    run("dvc", "repro", "--quiet", root=root)
    run("dvc", "push", "--quiet", root=root)
    run("git", "commit", "--quiet", "--all", "--message=two", root=root)
    assert before in there.audit().unnamed
    every = there.audit(all_commits=True)
    assert (every.unnamed, every.revisions) == ({}, 3)
    there.remote.files.rm_file(there.remote.path_of(before))
    assert there.audit().faults == ()
    assert [fault.oid for fault in there.audit(all_commits=True).faults] == [before]


def test_a_sample_reads_what_the_list_makes_suspect(there: Shared) -> None:
    sound = there.audit(sample=2)
    assert sound.read == 2 < sound.objects
    assert there.audit(sample=0.5).read == round(sound.objects / 2)
    there.put(TRACK, b"x" * len(there.content(TRACK)))
    there.put("data/features/track_2.bin", b"short")
    found = there.audit(sample=1)
    assert {fault.kind for fault in found.faults} == {"wrong bytes", "truncated"}
    with pytest.raises(LeitmotifError, match="the sample is empty"):
        there.audit(sample=0)


@pytest.mark.fault(
    "DVC remote on S3", "the server goes while an audit reads", outcome="named, then gone on with"
)
def test_a_stopped_audit_goes_on(
    there: Shared, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    killed: list[str] = []
    fetch = type(there.remote.files).cat_file

    def counting(files: object, path: str) -> bytes:
        if not path.endswith(".dir"):
            if len(read) == 3 and not killed:
                killed.append("proxy")
                s3.kill("proxy")
            read.append(path)
        return bytes(fetch(files, path))

    monkeypatch.setattr("leitmotif.share.remote.contents.READERS", 1)
    monkeypatch.setattr(there.remote.files, "cat_file", counting.__get__(there.remote.files))
    try:
        with pytest.raises(LeitmotifError, match="there is no connection to the server"):
            there.audit()
    finally:
        s3.run("proxy")
        s3.wait()
    (journal,) = (there.root / ".leitmotif" / "remote").iterdir()
    with journal.open("a") as file:
        file.write('["half a li')
    done = set(read[:3])
    read.clear()
    found = there.audit()
    assert found.faults == ()
    assert not done & set(read)
    assert found.read == found.objects
    assert not journal.exists()
    read.clear()
    there.audit()
    assert done <= set(read)  # an audit that ended begins anew


@pytest.mark.fault("DVC remote on S3", "a full quota", outcome="push and repair fail by name")
def test_a_full_quota_stops_push_and_repair(shared: Path, s3: S3Server) -> None:
    s3.make_bucket("full")
    run("dvc", "remote", "modify", "--local", "storage", "url", "s3://full/x", root=shared)
    s3.limit("full", 3000)
    said = run("dvc", "push", root=shared, ok=False)
    assert "failed to transfer" in said
    assert "exceeds quota" in said
    with open_remote(shared) as remote:
        found = audit(remote, working_tree(shared))
        assert found.faults
        with pytest.raises(LeitmotifError, match="the quota is used up"):
            repair(remote, found)
        s3.limit("full", 1_000_000)
        repair(remote, audit(remote, working_tree(shared)))
        assert audit(remote, working_tree(shared)).faults == ()
    assert "up to date" in run("dvc", "push", root=shared)


def test_the_command_says_all_of_it(there: Shared) -> None:
    there.put(TRACK, b"x")
    out = there.root / "found.json"
    done = CliRunner().invoke(app, ["remote", "audit", "--json", str(out)])
    assert done.exit_code == 1
    assert f"truncated: {TRACK} (features): 1 bytes of 2,000" in done.output
    assert "affected stages: features" in done.output
    assert "affected tracks (1): track_1" in done.output
    (problem,) = json.loads(out.read_text())["problems"]
    assert problem["files"] == [{"path": TRACK, "stage": "features", "track": "track_1"}]
    assert not problem["repaired"]
    done = CliRunner().invoke(app, ["remote", "audit", "--repair", "--json", str(out)])
    assert done.exit_code == 0, done.output
    assert "1 object repaired, 0 left" in done.output
    assert json.loads(out.read_text())["problems"][0]["repaired"]
    assert "0 problems" in CliRunner().invoke(app, ["remote", "audit"]).output


def test_a_folder_is_audited_as_a_bucket_is(repository: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    assert CliRunner().invoke(app, ["remote", "add", str(disk)]).exit_code == 0
    run("dvc", "push", "--quiet", root=repository)
    with open_remote(repository) as remote:
        there = Shared(repository, remote)
        assert there.audit().faults == ()
        stored = Path(remote.path_of(there.oid(TRACK)))
        stored.chmod(0o644)
        stored.write_bytes(b"x")
        found = there.audit()
        assert [fault.kind for fault in found.faults] == ["truncated"]
        assert found.unfinished is None
        assert repair(remote, found).left == []
        assert there.audit().faults == ()


def test_errors_while_a_remote_is_open_pass(repository: Path, tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["remote", "add", str(tmp_path / "disk")]).exit_code == 0
    with pytest.raises(IsADirectoryError), open_remote(repository):
        repository.read_bytes()


def test_without_a_remote_the_command_says_how_to_add_one(repository: Path) -> None:
    done = CliRunner().invoke(app, ["remote", "audit"])
    assert isinstance(done.exception, LeitmotifError)
    assert "leitmotif remote add" in (done.exception.fix or "")
