import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors import safe_open

from leitmotif.audio import analysis
from leitmotif.config import Params, load_params
from leitmotif.errors import StageError
from leitmotif.files import read_table, sha256_file, write_table
from leitmotif.notebook.pieces import compose
from leitmotif.pipeline import CORPUS_FAILURES, FAILURES, FEATURES, MANIFEST
from leitmotif.stages.features import features
from leitmotif.tables.corpus import Failure, ManifestTrack, NearDuplicate
from tests.tables.made import manifest_track


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/corpus/audio").mkdir(parents=True)
    write_table(CORPUS_FAILURES, [])
    return tmp_path


def params(repo_root: Path, max_failures: int = 0) -> Params:
    loaded = load_params(repo_root / "presets" / "organism.yaml")
    changed = loaded.features.model_copy(update={"max_failures": max_failures})
    return loaded.model_copy(update={"features": changed})


def sound(seconds: float, seed: int = 0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * 32_000))


def track(name: str) -> ManifestTrack:
    path = Path("data/corpus/audio") / name
    return manifest_track(
        track_id=path.stem, path=f"audio/{name}", sha256=sha256_file(path), seconds=2.0
    )


def add_good_tracks(*names: str) -> list[ManifestTrack]:
    for seed, name in enumerate(names):
        soundfile.write(f"data/corpus/audio/{name}", sound(2.0, seed), 32_000)
    return [track(name) for name in names]


def test_each_track_gets_tensors_on_the_codec_grid_and_a_row_of_artifacts(
    workspace: Path, repo_root: Path
) -> None:
    write_table(MANIFEST, add_good_tracks("one.wav", "two.mp3"))
    features(params(repo_root))

    assert sorted(path.name for path in FEATURES.iterdir()) == [
        "artifacts.jsonl",
        "near_duplicates.jsonl",
        "one.safetensors",
        "two.safetensors",
    ]
    with safe_open(FEATURES / "one.safetensors", framework="np") as file:
        assert {name: file.get_tensor(name).shape for name in file.keys()} == {  # noqa: SIM118
            "chroma": (12, 100),
            "energy": (100,),
            "onset": (100,),
        }
        header = file.metadata()
    assert header["frame_rate"] == "50"
    assert header["audio_sha256"] == sha256_file(Path("data/corpus/audio/one.wav"))
    rows = [json.loads(line) for line in (FEATURES / "artifacts.jsonl").read_text().splitlines()]
    assert [row["track_id"] for row in rows] == ["one", "two"]
    assert rows[0]["bit_rate"] > rows[1]["bit_rate"]
    assert json.loads(Path("metrics/features.json").read_text()) == {"failures": 0}


def test_bad_files_are_listed_with_their_reason_and_the_others_are_done(
    workspace: Path, repo_root: Path
) -> None:
    audio = Path("data/corpus/audio")
    rows = add_good_tracks("good.wav", "changed.wav", "lost.wav", "cut.mp3")
    soundfile.write(audio / "silent.flac", np.zeros(64_000), 32_000)
    soundfile.write(audio / "short.ogg", sound(0.2), 32_000)
    with_nan = sound(2.0)
    with_nan[5000] = np.nan
    soundfile.write(audio / "nan.wav", with_nan, 32_000, subtype="FLOAT")
    soundfile.write(audio / "ints.wav", sound(2.0) * 32_767, 32_000, subtype="FLOAT")
    (audio / "text.mp3").write_text("no audio")
    cut = (audio / "cut.mp3").read_bytes()
    (audio / "cut.mp3").write_bytes(cut[: len(cut) // 2])
    rows[3] = track("cut.mp3")
    rows += [
        track(name) for name in ("silent.flac", "short.ogg", "nan.wav", "ints.wav", "text.mp3")
    ]
    soundfile.write(audio / "changed.wav", sound(2.0, seed=9), 32_000)
    (audio / "lost.wav").unlink()
    write_table(MANIFEST, rows)

    features(params(repo_root, max_failures=8))

    failures = read_table(FAILURES, Failure)
    assert {failure.track_id: failure.reason for failure in failures} == {
        "changed": "checksum",
        "lost": "missing",
        "cut": "truncated",
        "silent": "silent",
        "short": "too_short",
        "nan": "non_finite",
        "ints": "out_of_range",
        "text": "undecodable",
    }
    assert all(failure.detail and "\n" not in failure.detail for failure in failures)
    assert [path.name for path in FEATURES.glob("*.safetensors")] == ["good.safetensors"]
    assert json.loads(Path("metrics/features.json").read_text()) == {"failures": 8}


@pytest.mark.parametrize("error", [MemoryError, RuntimeError("of another library")])
@pytest.mark.fault(
    "features stage", "no memory, or any exception", outcome="that recording's failure, by name"
)
def test_any_exception_is_one_tracks_failure(
    error: Exception, workspace: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = add_good_tracks("good.wav", "bad.wav")
    measure = analysis.measure_artifacts

    def failing(*arguments: object, track_id: str, **settings: object) -> object:
        if track_id == "bad":
            raise error
        return measure(*arguments, track_id=track_id, **settings)

    monkeypatch.setattr(analysis, "measure_artifacts", failing)
    write_table(MANIFEST, rows)
    features(params(repo_root, max_failures=1))
    (failure,) = read_table(FAILURES, Failure)
    assert (failure.track_id, failure.reason) in (("bad", "memory"), ("bad", "failed"))
    assert [path.name for path in FEATURES.glob("*.safetensors")] == ["good.safetensors"]


def test_another_encoding_of_a_take_is_reported_and_kept(
    workspace: Path, repo_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take = compose(1, seed=3, world=repo_root / "models/organism/world.json")[0].samples
    for name in ("take.wav", "again.mp3"):
        soundfile.write(f"data/corpus/audio/{name}", take, 32_000)
    rows = [track("take.wav"), track("again.mp3"), *add_good_tracks("other.wav")]
    write_table(MANIFEST, rows)
    features(params(repo_root))
    (pair,) = read_table(FEATURES / "near_duplicates.jsonl", NearDuplicate)
    assert (pair.track_id, pair.other) == ("again", "take")
    assert "again may be take in another encoding" in capsys.readouterr().err
    assert len(list(FEATURES.glob("*.safetensors"))) == 3


def test_more_failures_than_allowed_stop_the_stage_and_are_named(
    workspace: Path, repo_root: Path
) -> None:
    rows = add_good_tracks("good.wav", "bad.wav")
    Path("data/corpus/audio/bad.wav").write_bytes(b"RIFF")
    rows[1] = track("bad.wav")
    write_table(MANIFEST, rows)
    with pytest.raises(StageError, match=r"(?s)1 of 2 .*audio/bad\.wav: undecodable.*max_failures"):
        features(params(repo_root))
    assert not FEATURES.exists()
    assert [failure.track_id for failure in read_table(FAILURES, Failure)] == ["bad"]


def test_files_that_the_corpus_stage_could_not_read_are_listed_and_counted_too(
    workspace: Path, repo_root: Path
) -> None:
    unread = Failure(track_id="noise", path="noise.mp3", reason="undecodable", detail="no header")
    write_table(CORPUS_FAILURES, [unread])
    write_table(MANIFEST, add_good_tracks("good.wav"))
    with pytest.raises(StageError, match=r"1 of 2 .*"):
        features(params(repo_root))
    features(params(repo_root, max_failures=1))
    assert read_table(FAILURES, Failure) == [unread]
    assert json.loads(Path("metrics/features.json").read_text())["failures"] == 1


def test_two_runs_give_the_same_bytes(workspace: Path, repo_root: Path) -> None:
    write_table(MANIFEST, add_good_tracks("one.wav", "two.mp3"))
    runs = []
    for _ in range(2):
        features(params(repo_root))
        runs.append({path.name: path.read_bytes() for path in FEATURES.iterdir()})
    assert runs[0] == runs[1]
