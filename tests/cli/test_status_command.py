"""``leitmotif status`` and what else names the next command; the list of presets; completion."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from leitmotif.cli import presets
from leitmotif.cli.preset_texts import available
from leitmotif.cli.presets import preset_in_use
from tests.status.half_made import folder_experiment, proposal, proposed, recordings, track


@pytest.fixture
def root(tmp_path: Path, repo_root: Path) -> Path:
    """A repository after ``leitmotif use folder``, with two recordings."""
    folder_experiment(tmp_path / "repository", repo_root)
    recordings(tmp_path / "repository", 2)
    return tmp_path / "repository"


def leitmotif(*words: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "leitmotif", *words],
        cwd=cwd,
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_status_says_the_settings_and_the_next_command(root: Path) -> None:
    done = leitmotif("status", "--json", "status.json", cwd=root)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Settings: preset folder, 5 settings changed: corpus.path, ")
    assert "  dvc repro proposals" in lines
    said = json.loads((root / "status.json").read_text(encoding="utf-8"))
    assert said["preset"] == "folder"
    assert said["rehearsal"] is True
    assert said["next"]["command"] == "dvc repro proposals"
    assert said["tracks"][0] == {"name": "given", "note": "", "told_by": "corpus", "tracks": 2}
    assert leitmotif("status", "--json", "status.json", cwd=root).returncode == 1
    assert leitmotif("status", "--json", "status.json", "--replace", cwd=root).returncode == 0
    foreign = leitmotif("status", "--json", "params.yaml", "--replace", cwd=root)
    assert "a file that this command did not write" in foreign.stderr


def test_use_ends_with_the_next_command(root: Path) -> None:
    done = leitmotif("use", "folder", "--set", "corpus.path=music", cwd=root)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("next: dvc repro proposals (")


def test_use_begins_with_what_the_preset_is_for(root: Path) -> None:
    rehearsed = leitmotif("use", "folder", cwd=root)
    assert rehearsed.stdout.startswith("folder: Rehearses the workflow: your recordings, ")
    real = leitmotif("use", "musicgen-folder-medium", "--force", cwd=root)
    assert real.stdout.startswith("musicgen-folder-medium: Your own recordings, read by MusicGen")


def test_use_without_a_preset_lists_them(root: Path) -> None:
    before = (root / "params.yaml").read_bytes()
    done = leitmotif("use", cwd=root)
    assert done.returncode == 0, done.stderr
    *listed, now = done.stdout.splitlines()
    assert [line[2:].split()[0] for line in listed] == available(root)
    assert [line[2:].split()[0] for line in listed if line.startswith("*")] == ["folder"]
    assert "organism, which does not hear music" in next(x for x in listed if x[0] == "*")
    assert now.startswith("params.yaml: preset folder, 5 settings changed: corpus.path, ")
    assert (root / "params.yaml").read_bytes() == before
    refused = leitmotif("use", "--set", "manifest.tracks=3", cwd=root)
    assert refused.returncode == 1
    assert "none is named" in refused.stderr


def test_the_preset_in_use_is_the_nearest_one(root: Path) -> None:
    (root / "dvc.yaml").unlink()  # nothing is asked of its dependencies
    for name in available(root):
        presets.use(name, root=root, force=True)
        now = preset_in_use(root)
        assert now is not None
        assert (now.name, now.changed) == (name, ())
    presets.use("organism", ["manifest.tracks=3"], root=root, force=True)
    assert str(preset_in_use(root)) == "preset organism, 1 setting changed: manifest.tracks"
    (root / "params.yaml").write_text("corpus: [", encoding="utf-8")
    assert preset_in_use(root) is None


def test_a_review_ends_with_the_next_command(root: Path) -> None:
    queue = [proposal(number, number + 1) for number in range(20)]
    proposed(root, [track(number) for number in range(20)], queue)
    program = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.argv = ['leitmotif', 'review', '--reviewer=ana', '--no-browser', '--port=0']\n"
        "from leitmotif.cli import main; main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as review:
        assert review.stdout is not None
        lines = []
        for line in review.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                link = lines[0].split()[1]
                with urllib.request.urlopen(link, timeout=60):  # it serves, and so can be ended
                    review.send_signal(signal.SIGINT)
    assert lines[-1].startswith("next: leitmotif review (20 proposals to decide; "), lines
    assert review.returncode == 130


def test_a_report_before_its_results_names_the_next_command(root: Path) -> None:
    proposed(root, [track(number) for number in range(20)], [proposal(1, 1), proposal(3, 2)])
    done = leitmotif("report", cwd=root)
    assert done.returncode == 1
    assert "the report cannot be made yet: " in done.stderr
    assert "not run: labels, " in done.stderr
    assert "to do:    leitmotif review (2 proposals to decide; " in done.stderr
    assert not (root / "report").exists()


def test_a_report_without_own_results_names_no_file_of_others(root: Path) -> None:
    """A clone has the tables of the shipped experiment, and not the files that they name."""
    proposed(root, [track(number) for number in range(20)], [proposal(1, 1), proposal(3, 2)])
    corpus = {"params": {"params.yaml": {"corpus": {"source": "organism"}}}}
    (root / "dvc.lock").write_text(json.dumps({"stages": {"corpus": corpus}}), encoding="utf-8")
    done = leitmotif("report", cwd=root)
    assert done.returncode == 1
    first, found, *_ = done.stderr.splitlines()
    assert first.endswith(
        "the report cannot be made yet: what is here is of other settings than params.yaml has"
    )
    assert found.startswith("  found:    outdated: corpus")
    assert "data/" not in done.stderr


def test_nobody_decides_on_another_corpus(root: Path) -> None:
    proposed(root, [track(number) for number in range(2)], [proposal(0, 1)])
    corpus = {"params": {"params.yaml": {"corpus": {"source": "organism"}}}}
    (root / "dvc.lock").write_text(json.dumps({"stages": {"corpus": corpus}}), encoding="utf-8")
    (root / "pairs.csv").write_text("track\ntrack00\n", encoding="utf-8")
    for words in (["review", "--no-browser"], ["import-labels", "pairs.csv"]):
        done = leitmotif(*words, "--reviewer=ana", cwd=root)
        assert done.returncode == 1
        assert "are of another corpus than params.yaml names" in done.stderr
        assert "to do:    dvc repro proposals" in done.stderr


def test_the_shell_completes_commands_and_presets(root: Path) -> None:
    def completed(words: str) -> list[str]:
        asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        program = "import sys; sys.argv = ['leitmotif']; from leitmotif.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=root,
            env={**os.environ, **asked, "_LEITMOTIF_COMPLETE": "complete_bash"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.stdout.split()

    assert completed("leitmotif stat") == ["status"]
    assert completed("leitmotif use fol") == ["folder"]


def test_use_says_what_becomes_of_settings_that_were_changed(root: Path) -> None:
    kept = leitmotif("use", "folder", "--set", "probes.folds=3", cwd=root)
    assert kept.returncode == 0, kept.stderr
    assert "kept from before: corpus.path, " in kept.stdout
    assert "+  folds: 3" in kept.stdout
    moved = leitmotif("use", "folder", "--set", "corpus.path=elsewhere", cwd=root)
    (said,) = (line for line in moved.stdout.splitlines() if line.startswith("kept from before"))
    assert "probes.folds" in said
    assert "corpus.path" not in said  # another value was typed
    refused = leitmotif("use", "musicgen-folder", "--force", "--set", "seed=1", cwd=root)
    assert refused.returncode == 1
    assert "given up" not in refused.stdout, "nothing was"
    given_up = leitmotif("use", "musicgen-folder", "--force", cwd=root)
    assert "given up, as they were changed of the preset folder: corpus.path, " in given_up.stdout
