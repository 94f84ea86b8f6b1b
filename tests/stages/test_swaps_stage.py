"""The swaps stage on two instruments of the shipped organism."""

from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from leitmotif.config import Params, load_params
from leitmotif.config.reading import parse_params
from leitmotif.errors import ConfigError
from leitmotif.files import read_json, read_table
from leitmotif.pipeline import METRICS, PLOTS, SWAP_CLIPS, SWAP_SUMMARY, SWAPS
from leitmotif.stages.swaps import swaps
from leitmotif.tables.swaps import SwapRow, SwapSummaryRow


def small(repo_root: Path, **settings: object) -> Params:
    """The preset of the organism, with one prompt and short clips."""
    whole = load_params(repo_root / "presets" / "organism.yaml").model_dump()
    whole["swaps"] |= {
        "prompts": 1, "seconds": 0.4, "components": ["mlp", "residual"], "techniques": ["adjust"],
        "together": False, **settings,
    }  # fmt: skip
    return parse_params(whole)


@pytest.fixture
def root(tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "models").symlink_to(repo_root / "models")
    yaml = YAML()
    table = yaml.load(repo_root / "concepts.yaml")
    table["concepts"] = [one for one in table["concepts"] if one["name"] in ("piano", "trumpet")]
    yaml.dump(table, tmp_path / "concepts.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_tables_metrics_and_plot_agree(root: Path, repo_root: Path) -> None:
    swaps(small(repo_root))
    rows, summary = read_table(SWAPS, SwapRow), read_table(SWAP_SUMMARY, SwapSummaryRow)
    assert {(row.original, row.desired) for row in rows} == {
        ("piano", "trumpet"), ("trumpet", "piano"),
    }  # fmt: skip
    assert len(rows) == 2 * 2 * 6
    metrics = read_json(METRICS / "swaps.json")
    assert metrics["itself"] == 0
    (of_all,) = [
        row.swap.effect.mean for row in summary
        if (row.scope, row.depth, row.component) == ("all", "every", "mlp")
    ]  # fmt: skip
    assert metrics["effect"]["adjust"]["mlp"]["mean"] == of_all
    drawn = pd.read_csv(PLOTS / "swaps.csv")
    assert len(drawn) == 12
    clips = sorted(SWAP_CLIPS.glob("*.wav"))
    assert len(clips) == 2 * (1 + 2 * 6)
    first = {name: name.read_bytes() for name in (SWAPS, SWAP_SUMMARY, *clips)}
    swaps(small(repo_root, rows=5))
    assert {name: name.read_bytes() for name in first} == first


def test_a_slot_without_concepts_is_refused(root: Path, repo_root: Path) -> None:
    with pytest.raises(ConfigError, match=r"(?s)no concept of 'mood'.*expected: +instrument"):
        swaps(small(repo_root, slots=["mood"]))


def test_nothing_is_named_twice(repo_root: Path) -> None:
    with pytest.raises(ConfigError, match="named twice: mlp"):
        small(repo_root, components=["mlp", "mlp"])
