import contextlib
import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile

from leitmotif.config import load_params
from leitmotif.errors import LeitmotifError, ModelError
from leitmotif.files import read_table, sha256_file, write_json, write_table
from leitmotif.files.yaml_files import parse_yaml
from leitmotif.stages.activations import activations
from leitmotif.stages.tracks import readable_tracks, tracks_with_activations
from leitmotif.store.reading import ActivationStore, verify
from leitmotif.store.writing import build
from leitmotif.tables.corpus import Failure
from tests.killing import dying
from tests.tables.made import manifest_track
from tests.tiny import save_tiny_checkpoint

TRACKS = 12
SITES = ["layers.0.residual", "layers.1.residual", "layers.2.self_attention"]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace as the stages before this one leave it, with a tiny model."""
    folder = tmp_path_factory.mktemp("workspace")
    save_tiny_checkpoint(folder / "tiny", layers=3)
    audio = folder / "data/corpus/audio"
    audio.mkdir(parents=True)
    rows = []
    for number in range(TRACKS):
        path = audio / f"{number}.flac"
        samples = 0.1 * np.random.default_rng(number).standard_normal(16_000)
        soundfile.write(path, samples, 32_000)
        rows.append(
            manifest_track(
                track_id=str(number),
                path=f"audio/{path.name}",
                sha256=sha256_file(path),
                seconds=0.5,
            )
        )
    write_table(folder / "data/manifest.jsonl", rows)
    write_table(folder / "data/failures.jsonl", [])
    return folder


@pytest.fixture
def workspace(original: Path, tmp_path: Path, repo_root: Path) -> Path:
    """A copy of it, with params."""
    folder = tmp_path / "workspace"
    shutil.copytree(original, folder)
    set_params(folder, repo_root)
    return folder


def set_params(folder: Path, repo_root: Path, **changes: object) -> None:
    params = parse_yaml((repo_root / "presets/organism.yaml").read_text())
    params["model"] |= {"name": "tiny", "watch": "tiny"}
    params["activations"] |= {"sites": SITES} | changes
    write_json(folder / "params.yaml", params)  # JSON is YAML


def finish(folder: Path) -> None:
    """Run the stage in this process, which is quicker than to start another."""
    with contextlib.chdir(folder):
        activations(load_params())


def outputs(folder: Path) -> dict[str, bytes]:
    files = [path for path in (folder / "data/activations").rglob("*") if path.is_file()]
    files.append(folder / "metrics/activations.json")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def entries(folder: Path) -> set[tuple[str, int]]:
    """Finished entries of the work cache, with the time that each was written."""
    files = (folder / ".leitmotif/activations").glob("*.safetensors")
    return {(path.name, path.stat().st_mtime_ns) for path in files}


@pytest.mark.fault(
    "activations stage", "process killed at any moment", outcome="resumed, the same bytes"
)
def test_a_run_killed_at_any_moment_resumes_to_the_same_bytes(
    workspace: Path, original: Path, tmp_path: Path, repo_root: Path
) -> None:
    unbroken = tmp_path / "unbroken"
    shutil.copytree(original, unbroken)
    set_params(unbroken, repo_root)
    finish(unbroken)

    cache = ".leitmotif/activations"
    for file, finished in ((2, 1), (TRACKS, TRACKS)):
        assert dying("activations", workspace, file=file, among=cache) == -signal.SIGKILL
        assert not (workspace / "data/activations").exists()
        survived = entries(workspace)
        assert len(survived) == finished
    damaged = workspace / ".leitmotif/activations" / sorted(survived)[0][0]
    damaged.write_bytes(damaged.read_bytes()[:-1])

    finish(workspace)

    assert outputs(workspace) == outputs(unbroken)
    assert verify(workspace / "data/activations", full=True) == []
    kept = survived & entries(workspace)
    assert len(kept) == len(survived) - 1, "finished tensors were computed again"
    assert not list(workspace.glob("**/*.partial"))
    metrics = json.loads((workspace / "metrics/activations.json").read_text())
    assert metrics == {"tensors": TRACKS * len(SITES), "failures": 0}


def test_failed_tracks_are_skipped_and_changed_weights_are_noticed(workspace: Path) -> None:
    failure = Failure(track_id="3", path="audio/3.flac", reason="silent", detail="-90 dBFS")
    write_table(workspace / "data/failures.jsonl", [failure])
    finish(workspace)
    store = ActivationStore(workspace / "data/activations")
    assert store.tracks("layers.0.residual") == [str(n) for n in range(TRACKS) if n != 3]
    first = store.load("layers.1.residual", "0")

    save_tiny_checkpoint(workspace / "tiny", layers=3, seed=1)
    finish(workspace)
    second = ActivationStore(workspace / "data/activations").load("layers.1.residual", "0")
    assert not np.array_equal(first, second)


@pytest.mark.fault(
    "activations stage", "errors during the run", outcome="stopped, the old result stays"
)
def test_errors_stop_the_run_and_leave_the_old_result_alone(
    workspace: Path, repo_root: Path
) -> None:
    finish(workspace)
    before = outputs(workspace)
    set_params(workspace, repo_root, sites=["layers.9.residual"])
    with pytest.raises(LeitmotifError, match=r"layers\.9\.residual(.|\n)*0\.\.2"):
        finish(workspace)

    set_params(workspace, repo_root)
    (workspace / "data/corpus/audio/5.flac").write_bytes(b"something else")
    shutil.rmtree(workspace / ".leitmotif")
    with pytest.raises(LeitmotifError, match=r"audio/5\.flac: checksum(.|\n)*max_failures"):
        finish(workspace)
    assert outputs(workspace) == before

    set_params(workspace, repo_root, max_failures=1)
    finish(workspace)
    listed = (workspace / "data/activations/failures.jsonl").read_text()
    assert json.loads(listed)["track_id"] == "5"
    assert json.loads((workspace / "metrics/activations.json").read_text())["failures"] == 1


@pytest.mark.fault(
    "activations stage",
    "no memory, a NaN, or any exception",
    outcome="that recording's failure, with its reason; the others are done",
)
@pytest.mark.parametrize(
    ("error", "reason", "detail"),
    [
        (MemoryError(), "memory", "out of memory"),
        (RuntimeError("of another library"), "failed", "RuntimeError: of another library"),
        (ModelError("the residuals", found="NaN"), "failed", "the residuals: NaN"),
    ],
)
def test_any_exception_is_one_tracks_failure(
    error: Exception,
    reason: str,
    detail: str,
    workspace: Path,
    repo_root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_params(workspace, repo_root, max_failures=1)
    load = build.load_audio

    def failing(path: Path, **settings: object) -> object:
        if path.name == "5.flac":
            raise error
        return load(path, **settings)

    monkeypatch.setattr(build, "load_audio", failing)
    finish(workspace)
    (failure,) = read_table(workspace / "data/activations/failures.jsonl", Failure)
    assert (failure.track_id, failure.reason) == ("5", reason)
    assert detail in failure.detail
    with contextlib.chdir(workspace):
        assert [row.track_id for row in tracks_with_activations()] == [
            row.track_id for row in readable_tracks() if row.track_id != "5"
        ]
    store = ActivationStore(workspace / "data/activations")
    assert len(store.tracks(SITES[0])) == TRACKS - 1


def test_a_run_in_which_every_track_fails_stops(
    workspace: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_params(workspace, repo_root, max_failures=TRACKS)

    def failing(path: Path, **_: object) -> object:
        raise MemoryError

    monkeypatch.setattr(build, "load_audio", failing)
    with pytest.raises(LeitmotifError, match=f"{TRACKS} of {TRACKS} tracks failed"):
        finish(workspace)
    assert not (workspace / "data/activations").exists()


def test_a_missing_manifest_is_an_error_for_people(workspace: Path) -> None:
    (workspace / "data/manifest.jsonl").unlink()
    with pytest.raises(LeitmotifError, match=r"manifest\.jsonl does not exist"):
        finish(workspace)
