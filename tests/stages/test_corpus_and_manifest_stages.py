from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from leitmotif.cli.preset_texts import preset as preset_text
from leitmotif.config import Params, parse_params
from leitmotif.errors import StageError
from leitmotif.files import read_json, read_table
from leitmotif.files.yaml_files import parse_yaml
from leitmotif.pipeline import CORPUS, EXCLUDED, MANIFEST, METRICS
from leitmotif.stages.corpus import corpus
from leitmotif.stages.manifest import manifest
from leitmotif.tables.corpus import CorpusTrack, Exclusion, ManifestTrack
from leitmotif.tables.truth import Truth

Preset = Callable[..., Params]


@pytest.fixture
def preset(repo_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Preset:
    """Load a preset with some keys changed; the working folder is an empty one."""
    monkeypatch.chdir(tmp_path)

    def load(name: str, changes: dict[str, dict[str, Any]]) -> Params:
        values = parse_yaml(preset_text(name, root=repo_root))
        for section, keys in changes.items():
            values[section] |= keys
        return parse_params(values)

    return load


def test_a_folder_from_files_to_windows(preset: Preset, tmp_path: Path) -> None:
    for name, seconds in (("long.wav", 3.0), ("short.wav", 0.5)):
        (tmp_path / "mine").mkdir(exist_ok=True)
        soundfile.write(tmp_path / "mine" / name, np.zeros(round(8000 * seconds)), 8000)
    (tmp_path / "mine" / "broken.mp3").write_bytes(b"")
    rules = {"window_seconds": 2.0, "windows": "all"}
    params = preset("folder", {"corpus": {"path": "mine"}, "manifest": rules})
    corpus(params)
    manifest(params)
    assert read_json(METRICS / "corpus.json") == {"tracks": 2, "failures": 1}
    (row,) = read_table(MANIFEST, ManifestTrack)
    assert (row.track_id, row.seconds) == ("long", 3.0)
    windows = [(window.start_frame, window.frames) for window in row.windows]
    assert windows == [(0, 100), (100, 50)]
    (excluded,) = read_table(EXCLUDED, Exclusion)
    assert (excluded.track_id, excluded.reason) == ("short", "too_short")
    assert read_json(METRICS / "manifest.json") == {"tracks": 1, "excluded": 1}


def test_no_eligible_track_stops_the_stage(preset: Preset, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    soundfile.write(tmp_path / "mine" / "short.wav", np.zeros(800), 8000)
    params = preset("folder", {"corpus": {"path": "mine"}})
    corpus(params)
    with pytest.raises(StageError, match="1 too_short"):
        manifest(params)
    assert not MANIFEST.exists()


def test_the_organism_takes_the_same_path(preset: Preset, repo_root: Path) -> None:
    world = repo_root / "models" / "organism" / "world.json"
    params = preset("organism", {"corpus": {"path": str(world), "watch": str(world), "pieces": 24}})
    corpus(params)
    manifest(params)
    tracks = read_table(CORPUS / "tracks.jsonl", CorpusTrack)
    assert len(tracks) == 24
    truths = read_table(CORPUS / "truth.jsonl", Truth)
    assert {truth.track_id for truth in truths} == {track.track_id for track in tracks}
    chosen = read_table(MANIFEST, ManifestTrack)
    # One piece in six has a defect, and each of the four kinds occurs.
    assert len(chosen) == 20
    assert read_json(METRICS / "manifest.json") == {"tracks": 20, "excluded": 4}
    reasons = [row.reason for row in read_table(EXCLUDED, Exclusion)]
    assert sorted(reasons) == ["excluded_tag", "no_licence", "no_required_tag", "too_short"]
    assert all(row.windows[0].frames == 416 for row in chosen)
    assert {path.name for path in CORPUS.iterdir()} == {
        "audio",
        "failures.jsonl",
        "notes.jsonl",
        "tracks.jsonl",
        "truth.jsonl",
    }
