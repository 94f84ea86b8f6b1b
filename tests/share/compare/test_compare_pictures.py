"""Plots that changed: counted, and drawn with the repository's own templates."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from leitmotif.share.compare import Options, compare, to_markdown
from leitmotif.share.compare.pictures import Pictures
from leitmotif.share.revisions import Revision
from tests.share.compare.memory_revision import memory

NAMES = ("base: old", "head: new")
OLD = "layer,share,low,high,lead\n0,0.5,0.4,0.6,1\n1,0.7,,0.8,2\n"
NEW = "layer,share,low,high,lead\n0,0.5,0.4,0.6,1\n1,0.2,0.1,0.3,2\n2,0.1,0.0,0.2,3\n"
TEMPLATE = {
    "data": {"values": "<DVC_METRIC_DATA>"},
    "title": "<DVC_METRIC_TITLE>",
    "mark": "point",
    "encoding": {
        "x": {"field": "<DVC_METRIC_X>", "type": "quantitative"},
        "y": {"field": "<DVC_METRIC_Y>", "type": "quantitative"},
        "color": {"field": "rev", "type": "nominal"},
    },
}
DVC = """
stages:
  one:
    plots:
    - plots/p.csv: {cache: false, template: own, x: layer, y: share, title: "What <b>each</b> does"}
"""


def files(csv: str, template: Any = TEMPLATE) -> dict[str, Any]:
    return {"plots/p.csv": csv, "dvc.yaml": DVC, ".dvc/plots/own.json": template}


def drawn(old: Revision, new: Revision, folder: Path) -> str:
    pytest.importorskip("vl_convert", reason="needs the extra compare")
    return to_markdown(compare(old, new, Options(Pictures(folder, "pictures/", NAMES))))


def test_lines_are_counted_without_pictures() -> None:
    text = to_markdown(compare(memory("old", files(OLD)), memory("new", files(NEW))))
    assert "p: 1 line gone, 2 lines new" in text
    assert "![" not in text
    assert "3 changes in all" in text


def test_both_revisions_are_in_one_picture(tmp_path: Path) -> None:
    text = drawn(memory("old", files(OLD)), memory("new", files(NEW)), tmp_path)
    assert "(pictures/plots-p.svg)" in text
    assert "What &lt;b&gt;each&lt;/b&gt; does: base: old and head: new" in text
    svg = ET.parse(tmp_path / "plots-p.svg").getroot()
    words = {element.text for element in svg.iter() if element.text}
    assert {*NAMES, "What <b>each</b> does", "layer"} <= words


def test_a_plot_that_is_new_is_drawn(tmp_path: Path) -> None:
    drawn(memory("old", {}), memory("new", files(NEW)), tmp_path)
    assert (tmp_path / "plots-p.svg").is_file()


@pytest.mark.fault(
    "leitmotif compare", "a plot's template is damaged", outcome="counted, said not to be drawn"
)
@pytest.mark.parametrize("template", [[], {"mark": 3}, {"data": {"values": "<DVC_METRIC_DATA>"}}])
def test_a_template_that_does_not_work_is_said(tmp_path: Path, template: Any) -> None:
    text = drawn(memory("old", files(OLD)), memory("new", files(NEW, template)), tmp_path)
    assert "p: 1 line gone, 2 lines new, not drawn: " in text
    assert not list(tmp_path.iterdir())


def test_a_template_reads_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("word\nhush\n")
    template = {
        "usermeta": "<DVC_METRIC_DATA>",
        "data": {"url": f"file://{tmp_path}/secret.csv"},
        "mark": "text",
        "encoding": {"text": {"field": "word"}},
    }
    drawn(memory("old", files(OLD)), memory("new", files(NEW, template)), tmp_path)
    assert "hush" not in (tmp_path / "plots-p.svg").read_text(encoding="utf-8")


def test_each_template_of_this_repository_draws_its_plot(repo_root: Path, tmp_path: Path) -> None:
    names = [f"plots/{path.name}" for path in (repo_root / "plots").glob("*.csv")]
    templates = [f".dvc/plots/{path.name}" for path in (repo_root / ".dvc" / "plots").glob("*")]
    now = {path: (repo_root / path).read_bytes() for path in [*names, *templates, "dvc.yaml"]}
    before = now | {path: b"\n".join(now[path].split(b"\n")[:-3]) + b"\n" for path in names}
    text = drawn(memory("old", before), memory("new", now), tmp_path)
    assert "not drawn" not in text
    assert len(list(tmp_path.iterdir())) == len(names) >= 12
