"""A comparison in a terminal."""

import pytest
from rich.console import Console

from leitmotif.share.compare.document import Document, Row, Section, TableBlock
from leitmotif.share.compare.terminal import print_document


@pytest.mark.parametrize(("folded", "shown"), [(False, 8), (True, 5)])
def test_folded_tables_have_their_first_rows_and_count_the_rest(folded: bool, shown: int) -> None:
    rows = [Row(((str(number),),), 1) for number in range(8)]
    table = TableBlock(("settings",), ("value",), rows, folded=folded)
    console = Console(record=True, width=80)
    print_document(Document(("Title",), (), [Section("Part", (), [table])]), console)
    lines = [line.strip() for line in console.export_text().splitlines()]
    assert [line for line in lines if line.isdigit()] == [str(number) for number in range(shown)]
    assert ("and 3 more settings" in lines) == folded
