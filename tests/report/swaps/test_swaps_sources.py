"""What the page of swaps reads."""

from pathlib import Path

import pytest

from leitmotif.errors import LeitmotifError
from leitmotif.files import read_table, write_table
from leitmotif.pipeline import SWAP_SUMMARY, SWAPS
from leitmotif.report.swaps.sources import CLIPS, TABLES, SwapSources, read_swaps
from leitmotif.tables.swaps import SwapRow
from tests.report.swaps.made_swaps import COMPONENTS, TECHNIQUES, effect, write_swaps


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_swaps(tmp_path)


def read(root: Path) -> SwapSources:
    sources = read_swaps("models/tiny", root)
    assert sources is not None
    return sources


def test_single_layers_over_all_pairs_are_cells(root: Path) -> None:
    sources = read(root)
    assert sources.model == "tiny"
    assert sources.layers == [0, 1, 2]
    assert (sources.techniques, sources.components) == (list(TECHNIQUES), list(COMPONENTS))
    assert {place: row.swap.effect.mean for place, row in sources.cells.items()} == {
        place: effect(*place) for place in sources.cells
    }
    assert len(sources.cells) == 2 * 3 * 3
    assert {tuple(row.layers) for row in sources.together.values()} == {(0, 1, 2)}


def test_rows_of_some_pairs_alone_are_no_cells(root: Path) -> None:
    sources = read(root)
    slots = {"scope": "slots", "original_slot": "genre", "desired_slot": "mood"}
    some = [row.model_copy(update=slots) for row in sources.summary]
    write_table(root / SWAP_SUMMARY, [*some, *sources.summary])
    again = read(root)
    assert {row.scope for row in again.cells.values()} == {"all"}
    assert again.slots == [("genre", "mood")]
    assert set(again.depths("replace", "every", ("genre", "mood"))) == set(COMPONENTS)
    assert again.depths("replace", "every", ("mood", "genre")) == {}


def test_of_several_spans_the_first_is_shown(root: Path) -> None:
    first = read(root)
    write_table(
        root / SWAP_SUMMARY,
        [*first.summary, *(row.model_copy(update={"frames": (20, 40)}) for row in first.summary)],
    )
    write_table(
        root / SWAPS,
        [*first.rows, *(row.model_copy(update={"frames": (20, 40)}) for row in first.rows)],
    )
    both = read(root)
    assert (both.cells, both.of_pairs) == (first.cells, first.of_pairs)
    assert (first.other_frames, both.other_frames) == ([], [(20, 40)])


def test_groups_of_layers_are_no_cells(root: Path) -> None:
    whole = read(root)
    group = [
        row.model_copy(update={"layers": [0, 1]})
        for row in whole.summary
        if row.layers == [0] and row.depth is None
    ]
    write_table(root / SWAP_SUMMARY, [*whole.summary, *group])
    grouped = read(root)
    assert (grouped.cells, grouped.together) == (whole.cells, whole.together)
    assert (whole.groups, grouped.groups) == ([], [[0, 1]])


def test_every_table_counts_for_the_report_id(root: Path) -> None:
    assert set(read(root).hashes) == {path.as_posix() for path in TABLES}


def test_nothing_that_was_swapped_is_nothing_to_show(root: Path) -> None:
    write_table(root / SWAP_SUMMARY, ())
    assert read_swaps("tiny", root) is None


def test_clips_of_another_run_are_refused(root: Path) -> None:
    rows = read_table(root / SWAPS, SwapRow)
    write_table(root / SWAPS, [row for row in rows if row.component != "mlp"])
    with pytest.raises(LeitmotifError, match=r"(?s)does not fit.*guitar to piano.*mlp of layer 0"):
        read_swaps("tiny", root)


def test_a_missing_table_is_named(root: Path) -> None:
    (root / CLIPS).unlink()
    with pytest.raises(LeitmotifError, match=r"clips\.jsonl does not exist"):
        read_swaps("tiny", root)
