"""A store with shards from end to end: stages make and read it, `leitmotif check` and DVC too."""

import contextlib
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from leitmotif.config import Params, load_params
from leitmotif.files import sha256_file, write_json, write_table
from leitmotif.files.yaml_files import parse_yaml
from leitmotif.pipeline import ACTIVATIONS, ALIGNMENT, METRICS, PLOTS, SAE
from leitmotif.share.protocol.checks.activations import code, headers, tensors
from leitmotif.share.protocol.inputs import Inputs
from leitmotif.stages.activations import activations
from leitmotif.stages.corpus import corpus
from leitmotif.stages.features import features
from leitmotif.stages.manifest import manifest
from leitmotif.stages.sae import sae
from leitmotif.store.reading import ActivationStore, verify
from leitmotif.store.reading.index import SHARDS
from leitmotif.store.reading.layout import StoreLayout, shard_file, shard_of
from leitmotif.store.writing import parts
from tests.killing import dying
from tests.tables.made import manifest_track
from tests.tiny import save_tiny_checkpoint

TRACKS, DIGITS = 12, 2
SITES = ["layers.0.residual", "layers.1.residual"]
SHARDED = StoreLayout(sharded_above=0, shard_seconds=2.0)
"""Twelve tracks of half a second: two digits."""
FIRST = """
from leitmotif.store.reading.layout import StoreLayout
from leitmotif.store.writing.parts import built
built.__kwdefaults__["layout"] = StoreLayout(sharded_above=0, shard_seconds=2.0)
"""


def shard(patch: pytest.MonkeyPatch, layout: StoreLayout = SHARDED) -> None:
    """Give every store of this process shards, however small it is."""
    patch.setitem(parts.built.__kwdefaults__, "layout", layout)


@pytest.fixture
def workspace(tmp_path: Path, repo_root: Path) -> Path:
    """A folder as the stages before activations leave it, with a tiny model."""
    folder = tmp_path / "workspace"
    save_tiny_checkpoint(folder / "tiny", layers=2)
    (folder / "data/corpus/audio").mkdir(parents=True)
    for number in range(TRACKS):
        record(folder, number, seed=number)
    write_manifest(folder)
    write_table(folder / "data/failures.jsonl", [])
    params = parse_yaml((repo_root / "presets/organism.yaml").read_text())
    params["model"] |= {"name": "tiny", "watch": "tiny"}
    params["activations"] |= {"sites": SITES}
    write_json(folder / "params.yaml", params)  # JSON is YAML
    return folder


def record(folder: Path, number: int, *, seed: int) -> None:
    """Write the recording of a track."""
    samples = 0.1 * np.random.default_rng(seed).standard_normal(16_000)
    soundfile.write(folder / f"data/corpus/audio/{number}.flac", samples, 32_000)


def write_manifest(folder: Path) -> None:
    """Write the manifest of the recordings that are there."""
    rows = [
        manifest_track(
            track_id=str(number),
            path=f"audio/{number}.flac",
            sha256=sha256_file(folder / f"data/corpus/audio/{number}.flac"),
            seconds=0.5,
        )
        for number in range(TRACKS)
    ]
    write_table(folder / "data/manifest.jsonl", rows)


def finish(folder: Path) -> None:
    """Run the stage in this process."""
    with contextlib.chdir(folder):
        activations(load_params())


def contents(folder: Path) -> dict[str, bytes]:
    """Files of the store, by their place in it."""
    root = folder / ACTIVATIONS
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def arrays(root: Path) -> dict[tuple[str, str], bytes]:
    """Every tensor's bytes."""
    store = ActivationStore(root)
    return {(site, t): array.tobytes() for site in store.sites for t, array in store.items(site)}


@pytest.mark.fault(
    "activations stage", "killed while it packs shards", outcome="resumed, the same bytes"
)
def test_killed_while_it_packs_the_stage_resumes_to_what_loose_files_hold(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, whole = tmp_path / "plain", tmp_path / "whole"
    shutil.copytree(workspace, plain)
    shutil.copytree(workspace, whole)
    finish(plain)
    shard(monkeypatch)
    finish(whole)
    for last in (1, 5):  # the first shard of a site, and one of a later group
        kill = dying("activations", workspace, file=last, among=".leitmotif/shards", first=FIRST)
        assert kill == -signal.SIGKILL
        assert not (workspace / ACTIVATIONS).exists()
    finish(workspace)

    assert contents(workspace) == contents(whole)
    assert verify(workspace / ACTIVATIONS, full=True) == []
    assert arrays(workspace / ACTIVATIONS) == arrays(plain / ACTIVATIONS)
    for name in (METRICS / "activations.json", PLOTS / "activations.csv"):
        assert (workspace / name).read_bytes() == (whole / name).read_bytes()
    assert (workspace / METRICS / "activations.json").read_bytes() == (
        plain / METRICS / "activations.json"
    ).read_bytes()


def test_the_protocol_passes_on_shards_and_names_what_is_wrong(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard(monkeypatch)
    finish(workspace)
    monkeypatch.chdir(workspace)
    for check in (tensors, headers, code):
        outcome = check(Inputs())
        assert outcome.status == "pass", outcome.evidence
    store = ActivationStore(ACTIVATIONS)
    assert store.tracks(SITES[0]) == sorted(map(str, range(TRACKS)))
    lost = next((ACTIVATIONS / SITES[1]).iterdir())
    lost.unlink()
    assert f"{SITES[1]}/{lost.name}: missing" in tensors(Inputs()).evidence


def dvc(root: Path, *command: str) -> str:
    """Run DVC."""
    tool = [sys.executable, "-m", "dvc", *command]
    return subprocess.run(tool, cwd=root, check=True, capture_output=True, text=True).stdout


def test_of_a_changed_track_dvc_keeps_and_sends_its_shards_alone(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard(monkeypatch)
    finish(workspace)
    dvc(workspace, "init", "--no-scm", "-q")
    dvc(workspace, "remote", "add", "-q", "-d", "there", str(tmp_path / "remote"))
    dvc(workspace, "add", "-q", str(ACTIVATIONS))
    dvc(workspace, "push", "-q")
    sent = {path for path in (tmp_path / "remote").rglob("*") if path.is_file()}
    before = contents(workspace)

    record(workspace, 5, seed=99)
    write_manifest(workspace)
    shutil.rmtree(workspace / ACTIVATIONS)  # as DVC does
    finish(workspace)
    after = contents(workspace)
    changed = {shard_file(site, shard_of("5", DIGITS)) for site in SITES}
    assert {name for name in after if before.get(name) != after[name]} == {SHARDS} | changed
    assert after.keys() == before.keys()

    dvc(workspace, "add", "-q", str(ACTIVATIONS))
    dvc(workspace, "push", "-q")
    new = {path for path in (tmp_path / "remote").rglob("*") if path.is_file()} - sent
    assert len(new) == len(changed) + 2  # the index, and DVC's list of the folder
    shutil.rmtree(workspace / ACTIVATIONS)
    shutil.rmtree(workspace / ".dvc/cache")
    dvc(workspace, "pull", "-q")
    assert contents(workspace) == after


def small(repo_root: Path) -> Params:
    """The preset of the organism made small."""
    whole = load_params(repo_root / "presets" / "organism.yaml").model_dump()
    whole["corpus"]["pieces"] = 6
    whole["manifest"]["tracks"] = 4
    whole["activations"]["sites"] = SITES
    whole["sae"] |= {"hooks": ["planner-0"], "spliced_tracks": 2}
    return Params.model_validate(whole)


def test_autoencoders_find_in_shards_what_they_find_in_loose_files(
    tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = small(repo_root)
    shutil.copy(repo_root / "hooks.yaml", tmp_path)
    (tmp_path / "models").symlink_to(repo_root / "models")
    monkeypatch.chdir(tmp_path)
    for stage in (corpus, manifest, features, activations, sae):
        stage(params)
    loose = {path.name: path.read_bytes() for path in (SAE / "planner-0").iterdir()}
    alignment, measured = ALIGNMENT.read_bytes(), (METRICS / "sae.json").read_bytes()
    shutil.rmtree(ACTIVATIONS)
    shutil.rmtree(SAE)

    shard(monkeypatch, StoreLayout(sharded_above=0, shard_seconds=20.0))
    activations(params)
    assert (ACTIVATIONS / SHARDS).exists()
    sae(params)
    assert {path.name: path.read_bytes() for path in (SAE / "planner-0").iterdir()} == loose
    assert ALIGNMENT.read_bytes() == alignment
    assert (METRICS / "sae.json").read_bytes() == measured
