"""What the interventions leave when they are killed, or when the disk is full."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from leitmotif.config import Params, load_params
from leitmotif.errors import StoreError
from leitmotif.files import sha256_file, write_table
from leitmotif.pipeline import (
    CANDIDATES,
    CLIPS,
    FAILURES,
    INTERCHANGE,
    INTERVENTIONS,
    LABELS,
    METRICS,
    PLOTS,
    PROBES,
)
from leitmotif.stages.activations import activations
from leitmotif.stages.corpus import corpus
from leitmotif.stages.interventions import interventions
from leitmotif.stages.manifest import manifest
from leitmotif.tables.interventions import read_log
from tests.disk import enlarge, small_disk
from tests.killing import dying
from tests.tables.made import interval, probe

SITE = "layers.1.residual"
CACHE = Path(".leitmotif/clips")
PAGE = 4096


@dataclass(frozen=True)
class Workplace:
    """Folders with the stage's inputs, and what an unbroken run made of them."""

    fresh: Callable[[str], Path]
    """Make another folder with the inputs and an empty work cache."""
    made: Path

    def outputs(self) -> dict[str, bytes]:
        return outputs(self.made)


def outputs(root: Path) -> dict[str, bytes]:
    """Everything that a run leaves, half files and forgotten ones included."""
    inputs = {"corpus", "activations", "manifest.jsonl", "failures.jsonl", "excluded.jsonl"}
    inputs.add(INTERCHANGE.name)
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for folder in ("data", METRICS, PLOTS)
        for path in sorted((root / folder).rglob("*"))
        if path.is_file() and path.relative_to(root).parts[1] not in inputs
    }


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Workplace:
    inputs = tmp_path_factory.mktemp("inputs")
    whole = load_params(repo_root / "presets" / "organism.yaml").model_dump()
    whole["corpus"]["pieces"] = whole["manifest"]["tracks"] = 2
    whole["activations"]["sites"] = [SITE]
    whole["calibration"]["site"] = SITE
    whole["sae"]["hooks"] = []
    whole["probes"]["comparisons"] = []
    whole["interventions"] |= {
        "tracks": 2,
        "candidates": 0,
        "kept_tracks": 2,
        "rows": 4,
    }
    chosen = Params.model_validate(whole)

    def fresh(name: str) -> Path:
        root = tmp_path_factory.mktemp(name)
        (root / "models").symlink_to(repo_root / "models")
        shutil.copytree(inputs / "data", root / "data")
        YAML().dump(chosen.model_dump(), root / "params.yaml")
        return root

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(inputs)
        Path("models").symlink_to(repo_root / "models")
        corpus(chosen)
        manifest(chosen)
        write_table(LABELS, [])  # the score's are not needed, their table is
        write_table(FAILURES, [])
        activations(chosen)
        write_table(CANDIDATES, [])
        write_table(INTERCHANGE, [])
        write_table(PROBES, [probe(site=SITE, p=1.0, partial_r2=interval(0.0))])
        made = fresh("unbroken")
        patch.chdir(made)
        interventions(chosen)
    return Workplace(fresh, made)


@pytest.mark.fault("interventions stage", "process killed", outcome="resumed, the same bytes")
def test_a_killed_stage_goes_on_and_ends_as_an_unbroken_one(workplace: Workplace) -> None:
    root = workplace.fresh("killed")
    clips = len({row.clip_id for row in read_log(workplace.made / INTERVENTIONS)})
    assert dying("interventions", root, file=6, among="clips") == -signal.SIGKILL
    kept = {path.name: path.stat().st_mtime_ns for path in (root / CACHE).glob("*.safetensors")}
    assert len(kept) == 5
    # The others, and a second file of audio that is half there.
    assert dying("interventions", root, file=clips - 5 + 2, among="clips") == -signal.SIGKILL
    assert len(list((root / CACHE).glob("*.safetensors"))) == clips
    (half,) = root.glob("data/.clips.*.partial")
    assert len(list(half.iterdir())) == 2
    assert not (root / INTERVENTIONS).exists()
    assert dying("interventions", root, file=0, among="clips") == 0
    assert {name: (root / CACHE / name).stat().st_mtime_ns for name in kept} == kept
    assert outputs(root) == workplace.outputs()


def test_a_second_run_takes_its_clips_from_the_cache(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = workplace.fresh("again")
    shutil.copytree(workplace.made / CACHE, root / CACHE)
    kept = {path.name: path.stat().st_mtime_ns for path in (root / CACHE).iterdir()}
    assert kept
    monkeypatch.chdir(root)
    interventions(load_params())
    assert {path.name: path.stat().st_mtime_ns for path in CACHE.iterdir()} == kept
    assert outputs(root) == workplace.outputs()


@pytest.mark.fault(
    "interventions stage", "full disk", outcome="named error, log and clips as they were"
)
@pytest.mark.parametrize("full", ["clips", "log"])
def test_a_full_disk_leaves_log_and_clips_as_they_were(
    workplace: Workplace, full: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = workplace.fresh("full")
    shutil.copytree(workplace.made / CACHE, root / CACHE)
    audio = sum(
        -(-path.stat().st_size // PAGE) * PAGE for path in (workplace.made / CLIPS).iterdir()
    )
    inputs = root / "inputs"
    (root / "data").rename(inputs)
    monkeypatch.chdir(root)
    with small_disk(root / "data", 1 << 24):
        for path in inputs.iterdir():
            (root / "data" / path.name).symlink_to(path)
        # An earlier run's: not the same, to see that it stays.
        shutil.copytree(workplace.made / CLIPS, CLIPS)
        (CLIPS / "earlier.wav").write_bytes(b"earlier")
        INTERVENTIONS.write_text("earlier\n")
        used = shutil.disk_usage("data").used
        before = outputs(root)
        enlarge(root / "data", used + (audio // 2 if full == "clips" else audio + PAGE))
        with pytest.raises(StoreError, match=r"disk is full(?s:.)*run the stage again"):
            interventions(load_params())
        assert outputs(root) == before
        assert not list(Path("data").glob(".*"))


@pytest.mark.fault("interventions stage", "full disk for the cache", outcome="whole clips only")
def test_a_disk_too_full_for_the_cache_keeps_whole_clips(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = workplace.fresh("cache")
    monkeypatch.chdir(root)
    twins = [path.stat().st_size for path in (workplace.made / ".leitmotif/twins").iterdir()]
    assert twins
    room = sum(-(-size // PAGE) * PAGE for size in twins)  # they come before the clips
    with small_disk(root / ".leitmotif", room + 8 * PAGE):
        done = subprocess.run(
            [sys.executable, "-m", "leitmotif.stages", "interventions"],
            capture_output=True,
            text=True,
            check=False,
            timeout=250,
        )
        assert done.returncode == 1
        assert "interventions: the disk is full: .leitmotif/clips/" in done.stderr
        assert "Traceback" not in done.stderr
        kept = list(CACHE.iterdir())
        assert kept
        assert all(sha256_file(path) == path.name.split(".")[1] for path in kept)
        assert not CLIPS.exists()
        assert not INTERVENTIONS.exists()
        enlarge(root / ".leitmotif", 1 << 24)
        interventions(load_params())
        assert all(path.is_file() for path in kept)
        assert outputs(root) == workplace.outputs()
