"""What leitmotif check found, in a comparison."""

import json
from pathlib import Path
from typing import Any

import pytest

from leitmotif.errors import LeitmotifError
from leitmotif.share.compare import Options, compare, to_markdown
from tests.share.compare.memory_revision import memory


def text_of(path: Path) -> str:
    return to_markdown(compare(memory("base", {}), memory("head", {}), Options(check=path)))


def line(status: str, **fields: Any) -> dict[str, Any]:
    return {"status": status, "title": "hashes agree", "evidence": "3 | 4", "fix": None, **fields}


def write(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def test_lines_that_fail_are_shown_with_what_mends_them(tmp_path: Path) -> None:
    lines = [line("pass"), line("fail", fix="dvc repro"), line("not applicable"), line("fail")]
    text = text_of(write(tmp_path / "a.json", {"format": "leitmotif-check/1", "lines": lines}))
    assert "**2 lines failed**, 1 passed, 1 not applicable." in text
    assert "| hashes agree | `3 \\| 4` | dvc repro |" in text
    assert "| hashes agree | `3 \\| 4` |   |" in text


def test_a_protocol_that_passes_is_one_line(tmp_path: Path) -> None:
    found = {"format": "leitmotif-check/1", "lines": [line("pass")]}
    assert "**0 lines failed**, 1 passed" in text_of(write(tmp_path / "a.json", found))


@pytest.mark.parametrize(
    "found", [[], {}, {"format": "other/1", "lines": []}, {"format": "leitmotif-check/1"}]
)
def test_another_file_is_refused_by_name(tmp_path: Path, found: Any) -> None:
    with pytest.raises(LeitmotifError, match=r"a\.json is no result of leitmotif check"):
        text_of(write(tmp_path / "a.json", found))
