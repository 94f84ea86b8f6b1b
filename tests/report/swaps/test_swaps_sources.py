"""What the page of swaps reads."""

from pathlib import Path

import pytest

from leitmotif.errors import LeitmotifError
from leitmotif.files import read_table, write_table
from leitmotif.report.swaps.sources import SwapPaths, SwapSources, read_swaps
from leitmotif.tables.swaps import SwapRow
from tests.report.swaps.made_swaps import COMPONENTS, TECHNIQUES, effect, write_swaps


@pytest.fixture
def paths(tmp_path: Path) -> SwapPaths:
    return write_swaps(tmp_path)


def read(paths: SwapPaths) -> SwapSources:
    sources = read_swaps(paths, "models/tiny")
    assert sources is not None
    return sources


def test_single_layers_over_all_pairs_are_cells(paths: SwapPaths) -> None:
    sources = read(paths)
    assert sources.model == "tiny"
    assert sources.layers == [0, 1, 2]
    assert (sources.techniques, sources.components) == (list(TECHNIQUES), list(COMPONENTS))
    assert {place: row.swap.effect.mean for place, row in sources.cells.items()} == {
        place: effect(*place) for place in sources.cells
    }
    assert len(sources.cells) == 2 * 3 * 3
    assert {tuple(row.layers) for row in sources.together.values()} == {(0, 1, 2)}


def test_rows_of_some_pairs_alone_are_no_cells(paths: SwapPaths) -> None:
    sources = read(paths)
    within = [row.model_copy(update={"scope": "within"}) for row in sources.summary]
    write_table(paths.summary, [*within, *sources.summary])
    again = read(paths)
    assert {row.scope for row in again.cells.values()} == {"all"}
    assert set(again.depths("replace", "every", "within")) == set(COMPONENTS)
    assert again.depths("replace", "every", "across") == {}


def test_of_several_spans_the_first_is_shown(paths: SwapPaths) -> None:
    first = read(paths)
    write_table(
        paths.summary,
        [*first.summary, *(row.model_copy(update={"frames": (20, 40)}) for row in first.summary)],
    )
    write_table(
        paths.swaps,
        [*first.rows, *(row.model_copy(update={"frames": (20, 40)}) for row in first.rows)],
    )
    both = read(paths)
    assert (both.cells, both.of_pairs) == (first.cells, first.of_pairs)
    assert (first.other_frames, both.other_frames) == ([], [(20, 40)])


def test_groups_of_layers_are_no_cells(paths: SwapPaths) -> None:
    whole = read(paths)
    group = [
        row.model_copy(update={"layers": [0, 1]})
        for row in whole.summary
        if row.layers == [0] and row.depth is None
    ]
    write_table(paths.summary, [*whole.summary, *group])
    grouped = read(paths)
    assert (grouped.cells, grouped.together) == (whole.cells, whole.together)
    assert (whole.groups, grouped.groups) == ([], [[0, 1]])


def test_every_table_counts_for_the_report_id(paths: SwapPaths) -> None:
    assert set(read(paths).hashes) == {path.as_posix() for path in paths.tables}


def test_nothing_that_was_swapped_is_nothing_to_show(paths: SwapPaths) -> None:
    write_table(paths.summary, ())
    assert read_swaps(paths, "tiny") is None


def test_clips_of_another_run_are_refused(paths: SwapPaths) -> None:
    rows = read_table(paths.swaps, SwapRow)
    write_table(paths.swaps, [row for row in rows if row.component != "mlp"])
    with pytest.raises(LeitmotifError, match=r"(?s)does not fit.*guitar to piano.*mlp of layer 0"):
        read_swaps(paths, "tiny")


def test_a_missing_table_is_named(paths: SwapPaths) -> None:
    (paths.clips / "clips.jsonl").unlink()
    with pytest.raises(LeitmotifError, match=r"clips\.jsonl does not exist"):
        read_swaps(paths, "tiny")
