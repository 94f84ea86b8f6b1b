"""Each command that writes refuses what it did not make, before any work."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from leitmotif.cli import app
from leitmotif.errors import LeitmotifError
from leitmotif.files import sha256_file, write_table
from leitmotif.recurrence.listing import Listed, check_out


def files(root: Path) -> dict[Path, str]:
    return {path: sha256_file(path) for path in root.rglob("*") if path.is_file()}


def refused(arguments: list[str], root: Path) -> str:
    """What a command says that refuses, having changed nothing below ``root``."""
    before = files(root)
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, LeitmotifError), done.output
    assert files(root) == before
    assert not list(root.rglob("*.partial"))
    return str(done.exception)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.fault("leitmotif propose", "*.wav after --out", outcome="refused, untouched")
def test_a_recording_is_no_place_for_proposals(here: Path) -> None:
    for name in ("a.wav", "b.wav", "c.wav"):
        soundfile.write(here / name, np.zeros(800), 8000)
    message = refused(["propose", "--out", "a.wav", "b.wav", "c.wav"], here)
    assert "a.wav has the name of a recording" in message
    (here / "d").write_bytes((here / "a.wav").read_bytes())
    for out in ("d", "d/x.jsonl", "nowhere.wav"):
        refused(["propose", "--out", out, "a.wav", "--replace"], here)


@pytest.mark.fault(
    "leitmotif propose", "--out is or lies in an input", outcome="refused, untouched"
)
@pytest.mark.parametrize("out", ["in/rows.jsonl", "in", "same", "in/../in/a.wav", "link"])
def test_an_input_is_no_place_for_proposals(here: Path, out: str) -> None:
    (here / "in").mkdir()
    soundfile.write(here / "in" / "a.wav", np.zeros(800), 8000)
    (here / "same").symlink_to(here / "in" / "a.wav")
    (here / "link").symlink_to(here / "rows.jsonl")
    refused(["propose", "in", "--out", out, "--replace"], here)


@pytest.mark.fault(
    "leitmotif compose and train-sae",
    "more pieces than anybody composes, a seed that no table can hold",
    outcome="refused, untouched",
)
@pytest.mark.parametrize(
    "typed",
    [
        ["compose", "new", "--pieces", "9" * 20],
        ["compose", "new", "--pieces", "1", "--seed", "9" * 20],
        ["train-sae", "layers.1.residual", "new", "--seed", "9" * 20],
    ],
)
def test_numbers_that_are_too_large_are_refused(here: Path, typed: list[str]) -> None:
    done = CliRunner().invoke(app, typed)
    assert done.exit_code == 2
    assert "less than or equal to" in done.output
    assert not files(here)


@pytest.mark.fault(
    "leitmotif propose", "names with what a screen obeys", outcome="escaped in what is printed"
)
def test_a_name_does_not_command_the_screen(here: Path) -> None:
    (here / "in").mkdir()
    for number, name in enumerate(("\x1b[2J.wav", "a\nb.wav", "\u202ea.wav", "\x9b.mp3")):
        if number < 3:
            soundfile.write(here / "in" / name, np.zeros(8000), 8000, format="WAV")
        else:
            (here / "in" / name).write_bytes(b"none")
    done = CliRunner().invoke(app, ["propose", "in", "--out", "rows.jsonl"])
    assert done.exit_code == 1
    assert done.output.replace("\n", "").isprintable()
    assert "note: \\x1b[2J has 1.0 s" in done.output
    assert "note: a b has" in done.output
    assert "\\x9b" in done.output


def test_a_key_that_is_typed_twice_is_refused(here: Path) -> None:
    twice = ["--set", "manifest.tracks=3", "--set", "manifest.tracks=4"]
    message = refused(["use", "organism", *twice], here)
    assert "manifest.tracks is set twice" in message
    assert "manifest.tracks=3 and manifest.tracks=4" in message


def test_proposals_replace_proposals_when_asked(here: Path) -> None:
    zeros = dict.fromkeys(("motif_start", "motif_end", "recurrence_start", "recurrence_end"), 0)
    row = Listed(**zeros, track="a", transposition=0, score=0, p=0, texture=0, accepted=True)
    write_table(here / "rows.jsonl", [row])
    with pytest.raises(LeitmotifError, match="add --replace"):
        check_out(here / "rows.jsonl", [here / "a.wav"])
    check_out(here / "rows.jsonl", [here / "a.wav"], replace=True)
    (here / "notes.jsonl").write_text('{"mine": 1}\n')
    with pytest.raises(LeitmotifError, match="did not write"):
        check_out(here / "notes.jsonl", [here / "a.wav"], replace=True)


@pytest.mark.fault("leitmotif compose", "a folder with files", outcome="refused, untouched")
def test_a_folder_of_a_user_is_no_place_for_a_shard(here: Path, repo_root: Path) -> None:
    (here / "music").mkdir()
    (here / "music" / "audio_licenses.txt").write_text("mine")
    world = here / "world.json"
    world.write_bytes((repo_root / "models/organism/world.json").read_bytes())
    for out in ("music", "world.json", "world.json/x", "."):
        refused(["compose", out, "--world", "world.json", "--pieces", "1", "--replace"], here)
    world.write_bytes(world.read_bytes().decode().encode("utf-16"))
    assert "not UTF-8 text" in refused(["compose", "new", "--world", "world.json"], here)


@pytest.mark.fault(
    "leitmotif report", "a user's folder, or the pipeline's", outcome="refused, untouched"
)
@pytest.mark.parametrize("out", ["thesis", "data", "data/report", "file", "."])
def test_a_folder_of_a_user_is_no_place_for_a_report(here: Path, out: str) -> None:
    for folder in ("thesis", "data/report", "data/corpus", "data/features"):
        (here / folder).mkdir(parents=True)
        (here / folder / "index.html").write_text("mine")
    (here / "file").write_text("mine")
    refused(["report", "--out", out, "--replace"], here)


@pytest.mark.fault("leitmotif pin-sae", "a name that is taken", outcome="refused, untouched")
def test_a_name_that_is_taken_is_not_pinned(here: Path, repo_root: Path) -> None:
    (here / "hooks.yaml").write_bytes((repo_root / "hooks.yaml").read_bytes())
    given = ["pin-sae", "someone/saes", "folder", "--prompt", "none", "--write", "--name"]
    assert "already" in refused([*given, "planner-2"], here)
    assert "cannot be a name" in refused([*given, "a b"], here)
    (here / "hooks.yaml").rename(here / "theirs.yaml")
    (here / "hooks.yaml").symlink_to("theirs.yaml")
    assert "is a link" in refused([*given, "new"], here)


@pytest.mark.fault(
    "leitmotif check and compare",
    "a file at the target that comes while they work",
    outcome="refused, untouched",
)
@pytest.mark.parametrize(
    ("working", "typed"),
    [
        ("leitmotif.share.protocol.run.run_checks", ["check", "--json", "mine"]),
        ("leitmotif.share.protocol.run.run_checks", ["check", "--md", "mine"]),
        ("leitmotif.share.compare.writing.compare", ["compare", "HEAD", "--md", "mine"]),
    ],
)
def test_what_comes_meanwhile_stays(
    here: Path, monkeypatch: pytest.MonkeyPatch, working: str, typed: list[str]
) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "one"], check=True)

    def work(*_: object, **__: object) -> None:
        (here / "mine").write_text("my words")

    monkeypatch.setattr(working, work)
    done = CliRunner().invoke(app, [*typed, "--replace"])
    assert "a file that this command did not write" in str(done.exception)
    assert (here / "mine").read_text() == "my words"


EMPTY = [
    ["propose", "", "--out", "rows.jsonl"],
    ["propose", "a.wav", "--out", ""],
    ["propose", "a.wav", "--out="],
    ["propose", "--out", "rows.jsonl", "--", "a.wav", ""],
    ["compose", ""],
    ["verify", ""],
    ["import-labels", "", "--reviewer", "ana", "--format", "jams"],
    ["report", "--out", ""],
    ["replay", "--log", "", "x"],
    ["train-sae", "layers.2.residual", "", "--store", "data/activations"],
    ["check", "--json", ""],
    ["plan", "--json="],
    ["status", "--json", ""],
    ["compare", "HEAD", "--md", ""],
    ["publish", "owner/name", "--dry-run", ""],
    ["use", ""],
    ["remote", "add", ""],
    ["remote", "audit", "--json", ""],
    ["bench", "probe", "--out", ""],
    ["pin-sae", "owner/saes", "", "--name", "x", "--prompts", "none"],
]


@pytest.mark.fault(
    "any command", "an empty argument or value of an option", outcome="refused, untouched"
)
@pytest.mark.parametrize("typed", EMPTY, ids=" ".join)
def test_an_empty_argument_is_not_the_working_directory(here: Path, typed: list[str]) -> None:
    soundfile.write(here / "a.wav", np.zeros(800), 8000)
    assert "an argument is empty" in refused(typed, here)
