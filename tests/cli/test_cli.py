"""The command line as a person meets it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

import leitmotif
from leitmotif import cli, pipeline
from leitmotif.cli import presets
from leitmotif.errors import LeitmotifError


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    program = "from leitmotif.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_an_expected_error_has_no_traceback(tmp_path: Path) -> None:
    done = run("use", "organism", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: there is no preset 'organism'\n")
    assert "run this in the repository's root" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(presets, "use", broken)
    monkeypatch.setattr(sys, "argv", ["leitmotif", "use", "organism"])
    with pytest.raises(ZeroDivisionError):
        cli.main()


@pytest.mark.fault(
    "any command",
    "what it prints goes to a full disk, or nowhere",
    outcome="named error; where nobody listens it ends as usual",
)
@pytest.mark.parametrize("command", ["results", "--version"])
def test_what_is_printed_finds_no_room_or_nobody(repo_root: Path, command: str) -> None:
    program = f"{sys.executable} -m leitmotif {command}"
    env = {**os.environ, "PYTHONPATH": str(repo_root / "src")}
    for place, status, said in ((">/dev/full", 1, "error: the disk is full"), (">&-", 0, "")):
        done = subprocess.run(
            f"{program} {place}", shell=True, cwd=repo_root, env=env,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        assert said in done.stderr


@pytest.mark.fault(
    "any command and stage",
    "a name that the system refuses: too long, below a file, a circle of links",
    outcome="the name and the system's word for it",
)
@pytest.mark.parametrize("name", ["n" * 300, "file/below", "circle/below"])
@pytest.mark.parametrize(
    "command",
    [
        ("propose", "NAME", "--out", "a.jsonl"),
        ("verify", "NAME"),
        ("compose", "NAME"),
        ("compose", "pieces", "--world", "NAME"),
        ("replay", "1", "--log", "NAME"),
        ("plan", "--json", "NAME"),
    ],
    ids=" ".join,
)
def test_a_name_that_the_system_refuses(
    command: tuple[str, ...], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], repo_root: Path,
) -> None:  # fmt: skip
    for linked in ("params.yaml", "presets", "models"):
        (tmp_path / linked).symlink_to(repo_root / linked)
    (tmp_path / "file").write_text("")
    (tmp_path / "circle").symlink_to("circle")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["leitmotif", *(name if w == "NAME" else w for w in command)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert said.startswith("error: ")
    assert name.split("/", maxsplit=1)[0] in said


def test_a_stage_that_the_system_refuses_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(_: str) -> NoReturn:
        Path("n" * 300).stat()
        raise AssertionError

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("leitmotif.pipeline.only_run", refused)
    with pytest.raises(SystemExit):
        pipeline.run("labels", lambda: lambda _: None)
    said = capsys.readouterr().err
    assert said.startswith(f"labels: {'n' * 300} cannot be used\n  found:    File name too long")


def test_use_prints_what_changed(tmp_path: Path, repo_root: Path) -> None:
    (tmp_path / "presets").symlink_to(repo_root / "presets")
    done = run("use", "organism", "--set", "manifest.tracks=3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "+  tracks: 3" in done.stdout
    assert (
        "nothing changed"
        in run("use", "organism", "--set", "manifest.tracks=3", cwd=tmp_path).stdout
    )


def test_version(tmp_path: Path) -> None:
    assert run("--version", cwd=tmp_path).stdout == f"{leitmotif.__version__}\n"


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys; from leitmotif.cli import app; app(['--help'], standalone_mode=False)\n"
        "heavy = {'torch', 'transformers', 'numpy', 'librosa', 'dvc'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert {"use", "verify", "compose"} <= set(done.stdout.split())


def test_errors_carry_their_parts() -> None:
    error = LeitmotifError("it broke", found=3, expected="4", fix="mend it")
    assert str(error) == "it broke\n  found:    3\n  expected: 4\n  to do:    mend it"
    assert (error.found, error.expected, error.fix) == (3, "4", "mend it")
