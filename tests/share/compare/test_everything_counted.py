"""Nothing that changed is dropped: each change is shown, or counted where it would stand."""

import json
import re
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from leitmotif.share.compare import MARKER, compare, to_markdown
from tests.share.compare.memory_revision import memory

KEYS = st.sampled_from(
    [
        "verdicts", "carriers", "models", "approaches", "aligned and causal", "planner", "r2",
        "clap", "verdict", "stable", "mean", "low", "high", "n", "null_any_rate", "x|y", "<b>",
        "@all", "`",
    ]
)  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-9, 9), st.floats(width=16), st.sampled_from(["a", "b\n"])
)
TREES = st.recursive(
    SCALARS | st.lists(SCALARS, max_size=2),
    lambda inner: st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)
METRICS = st.dictionaries(
    st.sampled_from(
        [f"metrics/{name}.json" for name in ("summary", "interventions", "probes", "sae", "swaps")]
        + ["metrics/calibration.json", "metrics/own.json", "metrics/deep/own.json", "params.yaml"]
    ),
    TREES,
    max_size=6,
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"model": st.sampled_from("ab"), "candidate": st.sampled_from("ab")},
        optional={"verdict": SCALARS, "x": st.dictionaries(KEYS, SCALARS, max_size=9)},
    ),
    max_size=9,
)
TABLES = st.dictionaries(
    st.sampled_from([f"data/{name}.jsonl" for name in ("verdicts", "probes", "own")]), ROWS
)


def flat(tree: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], str]:
    """Leaves of a tree without lists of objects, as JSON is compared here."""
    if isinstance(tree, dict) and tree:
        return {
            place: leaf
            for key, value in tree.items()
            for place, leaf in flat(value, (*path, key)).items()
        }
    return {path: repr(tree)}


def changed(old: dict[str, Any], new: dict[str, Any]) -> dict[str, set[tuple[str, ...]]]:
    """Paths of the leaves that differ, by file."""
    found = {}
    for file in old.keys() | new.keys():
        sides = [flat(side[file]) if file in side else {} for side in (old, new)]
        found[file] = {
            path
            for path in sides[0].keys() | sides[1].keys()
            if sides[0].get(path) != sides[1].get(path)
        }
    return found


def first_cells(markdown: str) -> list[str]:
    """What the first cell of each line of each table says, once it is rendered."""
    cells, number = [], 1
    for token in MarkdownIt("gfm-like", {"linkify": False}).parse(markdown):
        if token.type == "tr_open":
            number = 0
        elif token.type == "inline" and number == 0:
            cells.append("".join(part.content for part in token.children or ()))
            number = 1
    return cells


def is_named(file: str, path: tuple[str, ...], cells: list[str]) -> bool:
    """Whether a line has the name of a leaf, or of the interval or the approach that it is of."""
    name = file.removeprefix("metrics/").removesuffix(".json")
    names = {name, *(f"{name}: {'.'.join(part)}" for part in (path, path[:-1]) if part)}
    if names.intersection(cells):
        return True
    if name == "summary" and path[0] == "approaches":
        return path[1] in cells
    if path[0] == "models" and len(path) > 2 and f"{name}: {path[2]} in {path[1]}" in cells:
        return True
    return any(all(key in cell for key in path[1:-1]) for cell in cells if ": " not in cell)


@given(METRICS, METRICS)
def test_every_value_that_changed_is_named(old: dict[str, Any], new: dict[str, Any]) -> None:
    expected = changed(old, new)
    document = compare(memory("base", old), memory("head", new))
    same_values = [
        file
        for file, paths in expected.items()
        if not paths and json.dumps(old.get(file)) != json.dumps(new.get(file))
    ]
    assert document.changes == sum(map(len, expected.values())) + len(same_values)
    text = to_markdown(document)
    assert ("Nothing changed." in text) == (not document.changes)
    assert counted(text) == 0
    cells = first_cells(text)
    for file, paths in expected.items():
        for path in paths:
            assert is_named(file, path, cells), (file, path)


def counted(text: str) -> int:
    """The changes that a text says it does not show, added up from where they would stand."""
    total = 0
    for line in text.splitlines():
        if found := re.fullmatch(r"and ([\d,]+) more tables? with ([\d,]+) changes?", line):
            total += number(found[2])
        elif found := re.fullmatch(r"and ([\d,]+) more (.*?)(?: \(([\d,]+) changes?\))?", line):
            if found[2].rstrip("s") not in ("candidate", "horizon"):
                total += number(found[3] or found[1])
        elif line.startswith("| "):
            total += sum(number(more) for more in re.findall(r", and ([\d,]+) more values?", line))
    return total


def number(text: str) -> int:
    return int(text.replace(",", ""))


@given(METRICS, METRICS, TABLES, TABLES, st.integers(1_500, 8_000))
def test_what_does_not_fit_is_counted(
    old: dict[str, Any],
    new: dict[str, Any],
    old_tables: dict[str, Any],
    new_tables: dict[str, Any],
    cap: int,
) -> None:
    document = compare(memory("base", old | old_tables), memory("head", new | new_tables))
    text = to_markdown(document, cap)
    assert len(text) <= cap
    assert text.startswith(MARKER)
    end = re.search(r"Of ([\d,]+) changes, ([\d,]+) are shown and ([\d,]+) only counted", text)
    if end is None:
        assert counted(text) == 0
        return
    total, shown, not_shown = map(number, end.groups())
    assert total == document.changes == shown + not_shown
    assert not_shown == counted(text)


LINES = st.lists(st.sampled_from(["a,1", "a,2", "b,1"]), max_size=6)
HASHES = st.dictionaries(st.sampled_from(["clips", "log", "tensors"]), st.sampled_from("xyz"))


def pipeline(hashes: dict[str, str], lines: list[str]) -> dict[str, Any]:
    """A revision with outputs that DVC keeps and a plot."""
    outs = "".join(f"    - data/{name}\n" for name in hashes)
    locked = "".join(f"    - {{path: data/{name}, md5: {md5}}}\n" for name, md5 in hashes.items())
    return {
        "dvc.yaml": f"stages:\n  one:\n    outs:\n{outs}" if hashes else "stages: {}\n",
        "dvc.lock": f"stages:\n  one:\n    outs:\n{locked}" if hashes else "stages: {}\n",
        "plots/p.csv": "\n".join(["name,value", *lines, ""]),
    }


@given(HASHES, HASHES, LINES, LINES)
def test_outputs_and_lines_of_plots_are_counted(
    old: dict[str, str], new: dict[str, str], old_lines: list[str], new_lines: list[str]
) -> None:
    document = compare(memory("a", pipeline(old, old_lines)), memory("b", pipeline(new, new_lines)))
    outputs = sum(old.get(name) != new.get(name) for name in old.keys() | new.keys())
    before, after = Counter(old_lines), Counter(new_lines)
    lines = (before - after).total() + (after - before).total()
    reordered = int(before == after and old_lines != new_lines)
    assert document.changes == outputs + lines + reordered
    assert counted(to_markdown(document)) == 0


def test_a_large_comparison_is_cut_from_its_end() -> None:
    old = {
        "metrics/interventions.json": {"verdicts": {"planner": "none"}},
        "metrics/own.json": {f"value {number}": number for number in range(5_000)},
    }
    new = {
        "metrics/interventions.json": {"verdicts": {"planner": "foresight"}},
        "metrics/own.json": {f"value {number}": number + 1 for number in range(5_000)},
    }
    text = to_markdown(compare(memory("base", old), memory("head", new)))
    assert 50_000 < len(text) <= 60_000
    assert "| verdict of planner | none | foresight |" in text
    hidden = counted(text)
    assert 3_000 < hidden < 5_000
    assert f"Of 5,001 changes, {5_001 - hidden:,} are shown and {hidden:,} only counted." in text
