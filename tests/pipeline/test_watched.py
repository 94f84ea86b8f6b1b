"""No stage runs on a folder that DVC does not watch."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from leitmotif.config import Params, load_params
from leitmotif.errors import ConfigError
from leitmotif.pipeline.watched import check_watched, listed_paths


@pytest.fixture
def params(repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    monkeypatch.chdir(repo_root)
    return load_params()


def with_comparisons(params: Params, *folders: str) -> Params:
    probes = params.probes.model_copy(update={"comparisons": list(folders)})
    return params.model_copy(update={"probes": probes})


def test_folders_by_the_setting_that_lists_them(params: Params) -> None:
    several = with_comparisons(params, "models/organism/reader", "someone/model-of-the-hub")
    sae = params.sae.model_copy(update={"hooks": ["planner-2@layers.3.residual", "planner-0"]})
    assert listed_paths(several.model_copy(update={"sae": sae})) == {
        "probes.comparisons": ["models/organism/reader"],
        "sae.hooks": [
            "models/organism/sae/layers.0.residual",
            "models/organism/sae/layers.2.residual",
        ],
        "swaps.pairs": [],
    }


def test_fewer_than_are_watched_will_do(params: Params) -> None:
    check_watched(params)
    check_watched(with_comparisons(params, "models/organism/reader"))
    check_watched(with_comparisons(params))


def test_a_folder_that_is_not_watched_is_refused(params: Params) -> None:
    with pytest.raises(ConfigError, match="leitmotif deps") as caught:
        check_watched(with_comparisons(params, "models/organism/concepts"))
    assert "probes.comparisons" in caught.value.what
    assert caught.value.found == "models/organism/concepts"


def test_a_file_of_pairs_that_is_not_watched_is_refused(params: Params) -> None:
    swaps = params.swaps.model_copy(update={"pairs": "CITATION.cff"})
    with pytest.raises(ConfigError, match="leitmotif deps") as caught:
        check_watched(params.model_copy(update={"swaps": swaps}))
    assert "swaps.pairs" in caught.value.what
    assert caught.value.found == "CITATION.cff"


def test_without_a_pipeline_nothing_is_checked(params: Params, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    check_watched(with_comparisons(params, "models"), tmp_path)


def test_a_stage_refuses_before_it_does_anything(repo_root: Path, tmp_path: Path) -> None:
    for name in ("dvc.yaml", "hooks.yaml"):
        shutil.copy(repo_root / name, tmp_path)
    (tmp_path / "models").symlink_to(repo_root / "models")
    settings = (repo_root / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(
        settings.replace("- models/organism/blind", "- models/organism/concepts"), encoding="utf-8"
    )
    done = subprocess.run(
        [sys.executable, "-m", "leitmotif.stages", "manifest"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "found:    models/organism/concepts" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "dvc.yaml",
        "hooks.yaml",
        "models",
        "params.yaml",
    ]
