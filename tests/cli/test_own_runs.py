"""One's own run beside the shipped results: branches, and what ``leitmotif use`` refuses."""

import subprocess
from pathlib import Path

import pytest

from leitmotif.cli import dependencies, own_runs, presets, settings
from leitmotif.config import load_params
from leitmotif.errors import ConfigError

GIT = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]


def git(checkout: Path, *arguments: str) -> str:
    done = subprocess.run(
        [*GIT, *arguments], cwd=checkout, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def with_results(checkout: Path) -> Path:
    """The checkout, in which results of the organism are committed."""
    pipeline = "stages:\n  probes:\n    cmd: x\n    deps: []\n    metrics:\n"
    pipeline += "      - metrics/probes.json:\n          cache: false\n"
    (checkout / "dvc.yaml").write_text(pipeline)
    (checkout / "metrics").mkdir()
    (checkout / "metrics/probes.json").write_text('{"a": 1}\n')
    git(checkout, "add", ".")
    git(checkout, "commit", "-qm", "results")
    return checkout


@pytest.fixture
def _no_dependencies(monkeypatch: pytest.MonkeyPatch) -> None:
    """dvc.yaml stays as it is: what `use` adds to it is tested elsewhere."""
    monkeypatch.setattr(dependencies, "with_dependencies", lambda text, *_: text)


@pytest.mark.usefixtures("_no_dependencies")
def test_a_branch_is_made_for_ones_own_results(with_results: Path) -> None:
    start = git(with_results, "branch", "--show-current")
    before = (with_results / "params.yaml").read_bytes()
    presets.use("folder", root=with_results, branch="mine")
    assert git(with_results, "branch", "--show-current") == "mine"
    assert load_params(with_results / "params.yaml").corpus.source == "folder"
    git(with_results, "commit", "-qam", "mine")
    git(with_results, "switch", "-q", start)
    assert (with_results / "params.yaml").read_bytes() == before
    assert (with_results / "metrics/probes.json").read_text() == '{"a": 1}\n'


@pytest.mark.usefixtures("_no_dependencies")
@pytest.mark.parametrize("branch", ["no such..name", "taken"])
def test_a_branch_that_cannot_be_made_changes_nothing(with_results: Path, branch: str) -> None:
    git(with_results, "branch", "taken")
    before = (with_results / "params.yaml").read_bytes()
    with pytest.raises(ConfigError, match="was not made, and nothing was changed"):
        presets.use("folder", root=with_results, branch=branch)
    assert (with_results / "params.yaml").read_bytes() == before
    assert git(with_results, "status", "--porcelain") == ""


@pytest.mark.usefixtures("_no_dependencies")
def test_no_branch_is_made_for_settings_that_cannot_be_used(with_results: Path) -> None:
    with pytest.raises(ConfigError, match="trakcs"):
        presets.use("folder", ["manifest.trakcs=3"], root=with_results, branch="mine")
    assert "mine" not in git(with_results, "branch")


@pytest.mark.usefixtures("_no_dependencies")
def test_results_in_no_commit_are_not_lost(with_results: Path) -> None:
    """They are those of the present preset; another one's would take their place."""
    presets.use("folder", root=with_results)
    (with_results / "metrics/probes.json").write_text('{"a": 2}\n')
    presets.use("folder", ["manifest.tracks=3"], root=with_results)  # the same experiment
    settings = (with_results / "params.yaml").read_bytes()
    git(with_results, "add", "params.yaml")
    git(with_results, "commit", "-qm", "settings")
    for branch in (None, "mine"):
        with pytest.raises(ConfigError, match="results of the preset folder are in no commit"):
            presets.use("organism", root=with_results, branch=branch)
    assert (with_results / "params.yaml").read_bytes() == settings
    assert (with_results / "metrics/probes.json").read_text() == '{"a": 2}\n'
    presets.use("organism", root=with_results, force=True)
    assert (with_results / "metrics/probes.json").read_text() == '{"a": 2}\n'


@pytest.mark.usefixtures("_no_dependencies")
def test_a_branch_that_was_made_is_not_offered_again(
    with_results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(with_results)
    offered = "has the results of the preset organism"
    for preset, branch, says in (
        ("folder", "mine", False),
        ("folder", None, False),
        ("musicgen-folder", None, True),
    ):
        settings.use(preset, branch=branch)
        assert (offered in capsys.readouterr().err) is says, preset


@pytest.mark.usefixtures("_no_dependencies")
def test_no_branch_is_offered_before_a_refusal(
    with_results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(with_results)
    settings.use("folder")
    (with_results / "metrics/probes.json").write_text('{"a": 2}\n')
    capsys.readouterr()
    with pytest.raises(ConfigError, match="results of the preset folder are in no commit"):
        settings.use("musicgen-folder")
    assert "organism" not in capsys.readouterr().err


@pytest.mark.usefixtures("_no_dependencies")
def test_the_note_says_what_would_be_written_over(with_results: Path) -> None:
    kept = own_runs.kept_results(with_results)
    assert kept is not None
    assert kept.files == ("metrics/probes.json",)
    text = own_runs.note(kept, "organism", "leitmotif use folder")
    assert "has the results of the preset organism" in text
    assert "leitmotif use folder --branch NAME" in text
    presets.use("folder", root=with_results, branch="mine")
    git(with_results, "commit", "-qam", "mine")
    theirs = presets.committed_preset(with_results)
    assert theirs is not None
    assert theirs.name == "folder"  # so nothing is said on this branch
