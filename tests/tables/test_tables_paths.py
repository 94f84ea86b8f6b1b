"""A row names files below its table alone."""

import json
from pathlib import Path

import pytest

from leitmotif.errors import LeitmotifError
from leitmotif.files import read_table
from tests.tables.examples import row_classes, row_example

PLACES = {
    "CorpusTrack": "path",
    "ManifestTrack": "path",
    "IndexRow": "file",
    "ShardRow": "file",
    "InterventionRow": "file",
    "LensClipRow": "file",
    "SwapClipRow": "file",
}
"""The field by the class: what a stage or a page opens below the table's folder."""


@pytest.mark.fault(
    "table", "a file that lies elsewhere than below it", outcome="refused by file, line and field"
)
@pytest.mark.parametrize(
    "elsewhere", ["../a.wav", "a/../../b.wav", "/etc/passwd", "", ".", "a//b.wav", "a/", "a\0b"]
)
@pytest.mark.parametrize("name", PLACES)
def test_a_path_that_leads_elsewhere_is_refused(name: str, elsewhere: str, tmp_path: Path) -> None:
    model, field, table = row_classes()[name], PLACES[name], tmp_path / "table.jsonl"
    row = row_example(model) | {field: "folder/a b.wav"}
    table.write_text(json.dumps(row))
    assert getattr(read_table(table, model)[0], field) == "folder/a b.wav"
    table.write_text(json.dumps(row | {field: elsewhere}))
    with pytest.raises(LeitmotifError, match=f"table.jsonl:1 .*\\n.*{field}: .*elsewhere"):
        read_table(table, model)
