"""The swaps stage on two instruments of the shipped organism."""

from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from leitmotif.config import Params, load_params
from leitmotif.config.reading import parse_params
from leitmotif.errors import ConfigError
from leitmotif.files import read_json, read_table
from leitmotif.judge.models.loading import shared_tagger
from leitmotif.lens.concepts import load_concepts
from leitmotif.lens.pairs import COLUMNS, ConceptPairs, concept_pairs, read_pairs
from leitmotif.lens.playing import Playing
from leitmotif.lens.swap_rows import HeardSwaps
from leitmotif.lens.swaps import Swaps
from leitmotif.lens.sweep import SwapCell, SwapSweep, sweep_of
from leitmotif.musicgen.loading import shared_model
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
    for row in summary:  # by the second tagger of the preset
        assert row.agreement is not None
        assert row.agreement.labels == 2
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


def called(params: Params, pairs: ConceptPairs, cells: list[SwapCell]) -> HeardSwaps:
    """The same by the interface of the package."""
    model = params.model.beside("models/organism/concepts")
    return Swaps(
        load=partial(shared_model, model),
        load_tagger=partial(shared_tagger, params.judge, model.dtype_beside),
        sweep=SwapSweep(pairs, cells, ["adjust"], params.swaps.controls),
        playing=Playing.of(params.decoderlens, params.swaps.seconds),
        rows=params.swaps.rows,
    ).run()


def test_a_file_of_pairs_is_an_experiment_of_the_same_sweep(root: Path, repo_root: Path) -> None:
    (root / "pairs.csv").write_text(
        f"{','.join(COLUMNS)}\n"
        "Rock with a piano,Rock with a trumpet,Piano,Trumpet\n"
        "A calm trumpet,A calm piano,Trumpet,Piano\n",
        encoding="utf-8",
    )
    params = small(repo_root, pairs="pairs.csv", components=["mlp"], prompts=7)
    swaps(params)
    rows = read_table(SWAPS, SwapRow)
    assert len(rows) == 2 * 6
    assert {(row.original, row.desired) for row in rows} == {
        ("Piano", "Trumpet"), ("Trumpet", "Piano"),
    }  # fmt: skip
    assert {(row.original_slot, row.desired_slot, row.swap.effect.n) for row in rows} == {
        (None, None, 1)
    }
    assert {kind for row in rows for kind in row.controls} == {"itself", "random"}
    pairs = read_pairs(Path("pairs.csv"))
    by_hand = called(params, pairs, [SwapCell("mlp", (layer,)) for layer in range(6)])
    assert rows == by_hand.rows()
    summary = read_table(SWAP_SUMMARY, SwapSummaryRow)
    assert {(row.scope, row.pairs) for row in summary} == {("all", 2)}
    assert len(list(SWAP_CLIPS.glob("*.wav"))) == 2 * (1 + 6)


def test_spans_and_groups_are_factors_of_the_sweep(root: Path, repo_root: Path) -> None:
    spans = [[0.0, 0.4], [0.2, 0.4]]
    params = small(repo_root, components=["mlp"], groups=[[5, 4]], spans=spans)
    swaps(params)
    rows = read_table(SWAPS, SwapRow)
    assert len(rows) == 2 * 7 * 2
    cells = [SwapCell("mlp", (3,), range(20)), SwapCell("mlp", (4, 5), range(10, 20))]
    pairs = concept_pairs(load_concepts().only(["instrument"]), 1)
    for row in called(params, pairs, cells).rows():
        assert row in rows
    metrics = read_json(METRICS / "swaps.json")
    assert metrics["cells"]["tried"] == 7  # of the first span
    assert len(pd.read_csv(PLOTS / "swaps.csv")) == 6
    assert len(list(SWAP_CLIPS.glob("*.wav"))) == 2 * (1 + 6)


def test_without_pairs_and_spans_concepts_are_swapped_in_the_whole_clip(repo_root: Path) -> None:
    sweep = sweep_of(small(repo_root, together=True), layers=6, frame_rate=50.0)
    assert {cell.frames for cell in sweep.cells} == {None}
    assert [cell.layers for cell in sweep.cells[:7]] == [
        *((n,) for n in range(6)),
        (0, 1, 2, 3, 4, 5),
    ]
    assert len(sweep.pairs.pairs) == 12


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"spans": []}, r"swaps\.spans"),
        ({"spans": [[0.0, 0.5]]}, r"\[0\.0, 0\.5\] is no part of a clip of 0\.4 s"),
        ({"spans": [[0.3, 0.1]]}, r"\[0\.3, 0\.1\] is no part"),
        ({"spans": [[-0.1, 0.1]]}, r"swaps\.spans"),
        ({"spans": [[0.0]]}, r"swaps\.spans"),
        ({"spans": [[0.0, 0.1], [0.0, 0.1]]}, r"\[0\.0, 0\.1\] is named twice"),
        ({"groups": [[1]]}, r"swaps\.groups"),
        ({"groups": [[-1, 2]]}, r"swaps\.groups"),
        ({"groups": [[1, 1]]}, r"a layer is named twice in \[1, 1\]"),
        ({"groups": [[1, 2], [2, 1]]}, r"the layers \[1, 2\] are named twice"),
    ],
)
def test_spans_and_groups_that_cannot_be_are_refused(
    repo_root: Path, settings: dict[str, object], match: str
) -> None:
    with pytest.raises(ConfigError, match=match):
        small(repo_root, **settings)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"groups": [[4, 6]]}, r"(?s)swaps\.groups.*found: +6.*expected: +0 to 5"),
        ({"spans": [[0.1, 0.101]]}, r"(?s)swaps\.spans.*0 frames"),
        ({"spans": [[0.1, 0.2], [0.1, 0.201]]}, r"(?s)swaps\.spans.*5 frames from 5"),
        ({"pairs": "none.csv"}, r"none\.csv"),
    ],
)
def test_what_the_model_or_the_disk_lacks_is_refused(
    root: Path, repo_root: Path, settings: dict[str, object], match: str
) -> None:
    with pytest.raises(ConfigError, match=match):
        swaps(small(repo_root, **settings))


def test_a_slot_without_concepts_is_refused(root: Path, repo_root: Path) -> None:
    with pytest.raises(ConfigError, match=r"(?s)no concept of 'mood'.*expected: +instrument"):
        swaps(small(repo_root, slots=["mood"]))


def test_nothing_is_named_twice(repo_root: Path) -> None:
    with pytest.raises(ConfigError, match="named twice: mlp"):
        small(repo_root, components=["mlp", "mlp"])
