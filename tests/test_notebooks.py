"""The notebooks run from start to end on the shipped organisms, and show what they say.

They are kept without outputs: what a reader sees is made by the code that is there, and a change of
a notebook reads as a diff.
"""

import ast
import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SHOWN = {
    "find_the_carrier": """
assert all(min(naive[name]) > 0.75 for name in NAMES), naive  # fooled, in all three models
assert min(r2["planner"][1:]) > 0.5, r2
assert max(r2["reader"] + r2["blind"]) < 0.1, r2
assert min(effect["planner"][:2]) > 5, effect
assert max(abs(effect["planner"][2:])) < 1, effect
assert max(abs(effect["reader"])) < 1 and max(abs(effect["blind"])) < 1, effect
assert carrier < 2 <= best  # the probe's best block is not the one that carries
assert returned[0] == returned[1] == 1 and returned[2] < 0.5, returned
""",
    "hook_and_patch": """
assert returned[0] == returned[2] == 1 and returned[1] < 0.5, returned
assert effect[:2].max(1).min() > 5, effect
assert abs(effect[2:]).max() < 1, effect
""",
    "probe_a_feature": """
assert (naive.q_ < 0.05).sum() > 1
assert list(names[honest.get_support()]) == ["the planner's stream"]
assert (naive_p < 0.05).mean() > 0.3
assert (honest_p < 0.05).mean() < 0.1
""",
}
"""What the text of each notebook claims, as code that runs after its last cell."""


def test_there_is_a_check_of_every_notebook() -> None:
    assert [path.stem for path in NOTEBOOKS] == sorted(SHOWN)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_what_it_says(path: Path) -> None:
    notebook: Any = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(SHOWN[path.stem]))
    client = NotebookClient(
        notebook, kernel_name="python3", timeout=600, resources={"metadata": {"path": FOLDER}}
    )
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    shown = [kind for output in outputs for kind in output.get("data", {})]
    assert "image/png" in shown
    assert any("<audio" in str(output.get("data", {}).get("text/html", "")) for output in outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    cells = json.loads(text)["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n" == text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_needs_the_public_names_only(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    source = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    imported = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    assert "leitmotif" in imported
    assert not [name for name in imported if name.startswith("leitmotif.")]
