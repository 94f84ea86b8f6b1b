"""What a command did not make, it does not touch."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.errors import LeitmotifError, TargetError
from leitmotif.files import sha256_file
from leitmotif.files.targets import (
    RECORD,
    check_apart,
    check_editable,
    check_file,
    check_folder,
    made_folder,
    overlap,
)


def ours(path: Path) -> bool:
    return path.read_text() == "ours"


def make(path: Path, *, replace: bool = False) -> None:
    with made_folder(path, replace=replace) as folder:
        (folder / "sub").mkdir()
        (folder / "a.txt").write_text("made")
        (folder / "sub" / "b.txt").write_text("made")


def test_what_this_program_made_is_replaced_when_asked(tmp_path: Path) -> None:
    make(tmp_path / "out")
    with pytest.raises(TargetError, match="--replace"):
        make(tmp_path / "out")
    make(tmp_path / "out", replace=True)
    check_folder(tmp_path / "out", replace=True)
    file = tmp_path / "file"
    file.write_text("ours")
    with pytest.raises(TargetError, match="--replace"):
        check_file(file, made=ours)
    check_file(file, made=ours, replace=True)
    assert {path.name for path in tmp_path.iterdir()} == {"out", "file"}


@pytest.mark.fault(
    "folder of a command", "a user's file in it, or a change", outcome="refused, untouched"
)
@pytest.mark.parametrize("what", ["file", "below", "folder", "link", "edit", "record", "swapped"])
def test_what_a_user_added_is_not_replaced(tmp_path: Path, what: str) -> None:
    out = tmp_path / "out"
    make(out)
    match what:
        case "file":
            (out / "mine.txt").write_text("mine")
        case "below":
            (out / "sub" / "mine.txt").write_text("mine")
        case "folder":
            (out / "mine").mkdir()
        case "link":
            (out / "mine").symlink_to(tmp_path / "elsewhere")
        case "edit":
            (out / "a.txt").write_text("edit")
        case "record":
            (out / RECORD).write_text("[]")
        case "swapped":
            (tmp_path / "real").write_text("made")
            (out / "a.txt").unlink()
            (out / "a.txt").symlink_to(tmp_path / "real")
    with pytest.raises(TargetError, match="is there already"):
        make(out, replace=True)
    (out / RECORD).unlink()
    with pytest.raises(TargetError, match="found:    a folder with"):
        make(out, replace=True)


@pytest.mark.fault("folder of a command", "a file put there meanwhile", outcome="it stays")
def test_what_came_while_a_folder_was_written_stays(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def work() -> None:
        with made_folder(out) as folder:
            (folder / "a.txt").write_text("made")
            out.mkdir()
            (out / "thesis.txt").write_text("mine")

    with pytest.raises(TargetError):
        work()
    assert (out / "thesis.txt").read_text() == "mine"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.fault(
    "target", "an input, by another name, in one, or around one", outcome="refused, untouched"
)
@pytest.mark.parametrize(
    "target",
    ["in", "in/x", ".", "in/../in", "link", "link/x", "hard.wav", "in/a.wav", "around", "sym.wav"],
)
def test_an_input_is_no_output(tmp_path: Path, target: str) -> None:
    source = tmp_path / "around" / "in"
    source.mkdir(parents=True)
    (source / "a.wav").write_text("sound")
    (tmp_path / "in").symlink_to(source)
    (tmp_path / "link").symlink_to(source)
    os.link(source / "a.wav", tmp_path / "hard.wav")
    (tmp_path / "sym.wav").symlink_to(source / "a.wav")
    inputs = [tmp_path / "in", source / "a.wav"]
    for check in (check_folder, check_file):
        with pytest.raises(TargetError):
            check(tmp_path / target, inputs=inputs, replace=True)


@pytest.mark.fault(
    "target", "a link, pipe, device, file for folder, no name", outcome="refused, untouched"
)
@pytest.mark.parametrize(
    "target",
    ["dangling", "pipe", "file", "file/below", "x" * 256, "", "..", "a\0b", "\udcff", "/dev/null"],
)
def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("mine")
    place = tmp_path / target if target else Path()
    for check in (check_folder, check_file):
        with pytest.raises(TargetError):
            check(place, replace=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "file", "pipe"]


def test_a_folder_without_the_right_to_write_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(TargetError, match="no right to write"):
        check_folder(tmp_path / "below" / "out")


def test_a_link_is_not_edited(tmp_path: Path) -> None:
    (tmp_path / "hooks.yaml").symlink_to(tmp_path / "theirs.yaml")
    with pytest.raises(TargetError, match="is a link"):
        check_editable(tmp_path / "hooks.yaml")


NAMES = st.sampled_from(["a.txt", "b", "sub", RECORD, "index.html", ".hidden"])
TREES = st.recursive(
    st.text(max_size=3), lambda inner: st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)
ENTRIES = st.dictionaries(NAMES, TREES, max_size=4)


def plant(folder: Path, tree: dict[str, object]) -> None:
    folder.mkdir(exist_ok=True)
    for name, value in tree.items():
        if isinstance(value, dict):
            plant(folder / name, value)
        else:
            (folder / name).write_text(str(value), encoding="utf-8")


@pytest.mark.fault("target", "any tree of a user's files", outcome="every file is unchanged")
@given(tree=ENTRIES, target=st.sampled_from(["", "b", "sub", "sub/b", "new"]), again=st.booleans())
def test_no_file_of_a_user_is_changed(
    tmp_path_factory: pytest.TempPathFactory,
    tree: dict[str, object],
    target: str,
    again: bool,
) -> None:
    root = tmp_path_factory.mktemp("user") / "root"
    plant(root, tree)
    before = {path: sha256_file(path) for path in root.rglob("*") if path.is_file()}
    try:
        make(root / target, replace=True)
        if again:
            make(root / target, replace=True)
    except LeitmotifError:
        pass
    assert {path: sha256_file(path) for path in before} == before
    assert not list(root.parent.rglob("*.partial"))


PIPELINE = """\
stages:
  encode:
    cmd: x
    outs:
    - made
    - kept/one.jsonl:
        cache: false
    metrics:
    - numbers.json
"""


@pytest.mark.fault(
    "target",
    "in an output of a stage, which deletes it when it runs, or in .git or .dvc",
    outcome="refused, untouched",
)
@pytest.mark.parametrize(
    ("target", "owner"),
    [
        ("made/mine", "encode"),
        ("made", "encode"),
        ("link/mine", "encode"),
        ("kept/../made/a/b", "encode"),
        ("kept/one.jsonl", "encode"),
        ("numbers.json", "encode"),
        ("below/.git/mine", "git"),
        (".dvc/cache/mine", "DVC"),
    ],
)
def test_a_place_that_others_own_is_refused(tmp_path: Path, target: str, owner: str) -> None:
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    (tmp_path / "made").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "made")
    for check in (check_folder, check_file):
        with pytest.raises(TargetError, match=owner):
            check(tmp_path / target)
    for mine in ("kept/two.jsonl", "mademine", "kept", ".gitignore", ".leitmotif/x"):
        check_file(tmp_path / mine)
    (tmp_path / "dvc.yaml").write_text("stages: [")
    check_file(tmp_path / "numbers.json")


def test_a_stage_of_ones_own_may_write_its_output_by_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    for running in ("encode", "sub/dvc.yaml:encode"):  # as DVC names it for the stage's command
        monkeypatch.setenv("DVC_STAGE", running)
        check_file(tmp_path / "numbers.json")
    monkeypatch.setenv("DVC_STAGE", "other")
    with pytest.raises(TargetError, match="the stage encode"):
        check_file(tmp_path / "numbers.json")


def test_a_queued_experiment_has_places_of_its_own(tmp_path: Path) -> None:
    copy = tmp_path / ".dvc" / "tmp" / "exps" / "tmp123"
    copy.mkdir(parents=True)
    (copy / "dvc.yaml").write_text(PIPELINE)
    check_file(copy / "mine.json")
    for owned in (copy / "numbers.json", copy / ".dvc" / "x", copy.parent / "x"):
        with pytest.raises(TargetError, match="a place that"):
            check_file(owned)


@pytest.mark.fault(
    "target", "two outputs of a command at one place, or one in the other", outcome="refused"
)
@pytest.mark.parametrize("second", ["a", "./a", "a/below", "link"])
def test_two_targets_need_two_places(tmp_path: Path, second: str) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with pytest.raises(TargetError, match="overlap"):
        check_apart(tmp_path / "a", None, tmp_path / second)
    check_apart(tmp_path / "a", tmp_path / "b", None)


def test_links_in_a_circle_hold_nothing(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "file").write_text("text")
    assert not overlap(tmp_path / "circle", tmp_path / "file")
    assert overlap(tmp_path / "circle", tmp_path / "circle")
