"""The decoderlens stage on two concepts of the shipped organism."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from leitmotif.config import Params, load_params
from leitmotif.config.reading import parse_params
from leitmotif.errors import ConfigError
from leitmotif.files import read_json, read_table
from leitmotif.lens.heard import CLIPS
from leitmotif.pipeline import (
    DECODERLENS,
    LAYER_SIMILARITY,
    LENS,
    LENS_DIVERGENCE,
    METRICS,
    PLOTS,
)
from leitmotif.stages.decoderlens import decoderlens
from leitmotif.tables.decoderlens import (
    DecoderLensRow,
    DivergenceRow,
    LensClipRow,
    SimilarityRow,
)
from leitmotif.tensors import read_tensors, write_tensors


def small(repo_root: Path, **settings: object) -> Params:
    """The preset of the organism, with few and short clips."""
    whole = load_params(repo_root / "presets" / "organism.yaml").model_dump()
    whole["decoderlens"] |= {"prompts": 2, "seconds": 0.6, "tuning_steps": 1, "rows": 8, **settings}
    return parse_params(whole)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Path:
    root = tmp_path_factory.mktemp("decoderlens")
    (root / "models").symlink_to(repo_root / "models")
    yaml = YAML()
    table = yaml.load(repo_root / "concepts.yaml")
    table["concepts"] = [one for one in table["concepts"] if one["name"] in ("piano", "trumpet")]
    yaml.dump(table, root / "concepts.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        decoderlens(small(repo_root))
    return root


def test_tables_clips_metrics_and_plots_agree(made: Path) -> None:
    rows = read_table(made / DECODERLENS, DecoderLensRow)
    assert {row.concept for row in rows} == {None, "piano", "trumpet"}
    last = max(row.layer for row in rows)
    clips = read_table(made / LENS / CLIPS, LensClipRow)
    assert len(clips) == 2 * (2 * (last + 1) + 2 * last)
    assert all((made / LENS / clip.file).is_file() for clip in clips)
    metrics = read_json(made / METRICS / "decoderlens.json")
    (at_the_end,) = [
        row for row in rows
        if (row.concept, row.layer, row.heard) == (None, last, "read")
    ]  # fmt: skip
    assert metrics["ndcg"]["instrument"]["last"]["mean"] == at_the_end.ndcg.mean
    alone = metrics["alone"]["plain"]["instrument"]
    assert alone["last"]["mean"] == at_the_end.within.mean
    drawn = pd.read_csv(made / PLOTS / "decoderlens.csv")
    assert len(drawn) == len(rows)
    assert set(drawn["way"]) == {
        f"{lens} lens{alone}" for lens in ("plain", "tuned") for alone in ("", ", alone")
    }
    divergences = read_table(made / LENS_DIVERGENCE, DivergenceRow)
    assert len(pd.read_csv(made / PLOTS / "lens_divergence.csv")) == len(divergences)
    pairs = read_table(made / LAYER_SIMILARITY, SimilarityRow)
    assert len([r for r in pairs if (r.concept, r.first, r.second) == (None, 0, last)]) == 1


def test_the_number_of_clips_at_once_does_not_decide(
    made: Path, repo_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").symlink_to(repo_root / "models")
    (tmp_path / "concepts.yaml").write_bytes((made / "concepts.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    decoderlens(small(repo_root, rows=3))
    for name in (DECODERLENS, LENS_DIVERGENCE, LAYER_SIMILARITY, LENS / CLIPS):
        assert (tmp_path / name).read_bytes() == (made / name).read_bytes()


def test_a_model_of_the_hub_is_named_where_its_revision_is(repo_root: Path) -> None:
    with pytest.raises(ConfigError, match=r"decoderlens.model 'a/b' is not a folder.*to null"):
        small(repo_root, model="a/b", watch="a/b")
    with pytest.raises(ConfigError, match="watch must be 'models/organism/concepts' too"):
        small(repo_root, watch="models/organism/planner")
    assert small(repo_root, model=None, watch="anything").decoderlens.model is None


def test_labels_of_two_taggers_are_matched_by_name(
    made: Path, repo_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shipped tagger once more, with its labels in another order: both agree entirely."""
    shipped, other = repo_root / "models/organism/judges/tagger", tmp_path / "tagger"
    shutil.copytree(shipped, other)
    tensors, metadata = read_tensors(shipped / "model.safetensors")
    config = json.loads((shipped / "config.json").read_text(encoding="utf-8"))
    labels = [config["id2label"][str(number)] for number in range(len(config["id2label"]))]
    config["id2label"] = dict(enumerate(reversed(labels)))
    config["label2id"] = {label: number for number, label in config["id2label"].items()}
    (other / "config.json").write_text(json.dumps(config), encoding="utf-8")
    heads = {name: values for name, values in tensors.items() if len(values) == len(labels)}
    assert {name.rpartition(".")[2] for name in heads} == {"weight", "bias"}
    turned = {name: np.ascontiguousarray(values[::-1]) for name, values in heads.items()}
    write_tensors(other / "model.safetensors", {**tensors, **turned}, metadata)

    (tmp_path / "models").symlink_to(repo_root / "models")
    (tmp_path / "concepts.yaml").write_bytes((made / "concepts.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    params = small(repo_root)
    judge = params.judge.model_copy(update={"second_tagger": str(other)})
    decoderlens(params.model_copy(update={"judge": judge}))
    rows = read_table(DECODERLENS, DecoderLensRow)
    for row in rows:
        assert row.agreement is not None
        assert (row.agreement.rank.mean, row.agreement.named.mean) == (1.0, 1.0)
        assert row.agreement.labels >= 2
    shipped_too = read_table(made / DECODERLENS, DecoderLensRow)
    assert all(row.agreement is not None for row in shipped_too)
    without = [
        [row.model_copy(update={"agreement": None}) for row in of_run]
        for of_run in (rows, shipped_too)
    ]
    assert without[0] == without[1]
