"""Reading the outputs of the DecoderLens, and finding curves in them."""

from dataclasses import replace
from pathlib import Path

import pytest

from leitmotif.errors import LeitmotifError, StageError
from leitmotif.files import read_table, sha256_file, write_table
from leitmotif.pipeline import DECODERLENS, LENS_DIVERGENCE
from leitmotif.report.lens.sources import CLIPS, TABLES, LensSources, read_lens
from leitmotif.tables.decoderlens import LensClipRow
from tests.report.lens.made_lens import SLOTS, write_lens


@pytest.fixture
def sources(tmp_path: Path) -> LensSources:
    read = read_lens("models/tiny", write_lens(tmp_path, layers=4))
    assert read is not None
    return read


def test_layers_and_concepts_are_in_order(sources: LensSources) -> None:
    assert sources.model == "tiny"
    assert sources.layers == [0, 1, 2, 3]
    assert sources.slots == {slot: [*names] for slot, names in SLOTS.items()}


def test_a_curve_has_one_row_for_each_layer_in_order(sources: LensSources) -> None:
    curve = sources.curve("genre", "jazz", heard="sampled")
    assert [(row.layer, row.lens, row.heard) for row in curve] == [
        (layer, "plain", "sampled") for layer in range(4)
    ]
    assert {row.concept for row in sources.curve("genre", None)} == {None}


def test_a_tuned_curve_ends_with_the_model_itself(sources: LensSources) -> None:
    for heard in ("read", "sampled"):
        curve = sources.curve("instrument", None, lens="tuned", heard=heard)
        found = [(row.layer, row.lens) for row in curve]
        assert found == [(0, "tuned"), (1, "tuned"), (2, "tuned"), (3, "plain")]
        assert {row.heard for row in curve} == {heard}


def test_a_way_that_was_not_heard_has_no_curve(sources: LensSources) -> None:
    read = [row for row in sources.recognition if row.heard == "read"]
    only_read = replace(sources, recognition=read)
    assert only_read.curve("instrument", "guitar", lens="tuned", heard="sampled") == []
    assert only_read.curve("instrument", "guitar", lens="tuned", heard="read") != []


def test_every_table_is_hashed_under_its_path(tmp_path: Path) -> None:
    write_lens(tmp_path)
    sources = read_lens("models/tiny", tmp_path)
    assert sources is not None
    assert sources.hashes == {path.as_posix(): sha256_file(tmp_path / path) for path in TABLES}
    assert len(sources.hashes) == 4


def test_an_empty_table_is_nothing_to_show(tmp_path: Path) -> None:
    write_lens(tmp_path)
    write_table(tmp_path / DECODERLENS, [])
    assert read_lens("models/tiny", tmp_path) is None


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    write_lens(tmp_path)
    (tmp_path / LENS_DIVERGENCE).unlink()
    with pytest.raises(LeitmotifError, match=r"lens_divergence\.jsonl"):
        read_lens("models/tiny", tmp_path)


def test_clips_of_another_run_are_refused(tmp_path: Path) -> None:
    write_lens(tmp_path)
    table = tmp_path / CLIPS
    first, *others = read_table(table, LensClipRow)
    write_table(table, [first.model_copy(update={"layer": 9}), *others])
    with pytest.raises(StageError, match="guitar, layer 9") as refused:
        read_lens("models/tiny", tmp_path)
    assert "dvc repro decoderlens" in str(refused.value)
