"""A stage whose inputs change while it runs does not count."""

from collections.abc import Callable
from pathlib import Path

import pytest

from leitmotif.errors import StageError
from leitmotif.pipeline.steady import steady_inputs

PIPELINE = """
stages:
  one:
    cmd: make
    deps:
      - data/table
      - data/folder
      - data/absent
      - ${model.watch}
      - plain\\${x}
    params: [model, corpus.kind, none]
  other:
    cmd: make
    deps: [elsewhere]
"""
SETTINGS = "model: {watch: models/a, dtype: float64}\ncorpus: {kind: x, path: y}\nother: 1\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    (tmp_path / "params.yaml").write_text(SETTINGS)
    for name in ("data/table", "data/folder/deep/a", "models/a/weights", "elsewhere", "plain${x}"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def edit(path: str, old: str, new: str) -> Callable[[Path], None]:
    return lambda root: (
        (root / path).write_text((root / path).read_text().replace(old, new)) and None
    )


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "setting": (edit("params.yaml", "float64", "float32"), "params.yaml: model"),
    "setting below a section": (
        edit("params.yaml", "kind: x", "kind: z"),
        "params.yaml: corpus.kind",
    ),
    "watched folder named otherwise": (edit("params.yaml", "models/a", "models/b"), "models/a"),
    "table of the same size": (edit("data/table", "table", "TABLE"), "data/table"),
    "file in a folder": (edit("data/folder/deep/a", "a", "bb"), "data/folder"),
    "new file in a folder": (lambda root: (root / "data/folder/new").touch(), "data/folder"),
    "file that is gone": (lambda root: (root / "data/table").unlink(), "data/table"),
    "file that has come": (lambda root: (root / "data/absent").touch(), "data/absent"),
    "weights": (lambda root: (root / "models/a/weights").unlink(), "models/a"),
    "name with a dollar": (lambda root: (root / "plain${x}").write_text("new"), "plain${x}"),
}


@pytest.mark.fault(
    "one checkout",
    "settings, sources or data changed while a stage runs",
    outcome="the stage fails and names them, so DVC notes no outputs",
)
@pytest.mark.parametrize("change", CHANGES)
def test_what_a_stage_depends_on_may_not_change(root: Path, change: str) -> None:
    act, named = CHANGES[change]
    with (
        pytest.raises(StageError, match="changed while it ran") as refused,
        steady_inputs("one", root),
    ):
        act(root)
    assert named in str(refused.value.found).split(", ")
    assert "dvc repro" in str(refused.value)


def test_what_it_does_not_depend_on_may(root: Path) -> None:
    with steady_inputs("one", root):
        (root / "elsewhere").write_text("new")
        edit("params.yaml", "other: 1", "other: 2")(root)
        edit("params.yaml", "path: y", "path: z")(root)
        (root / "data/table").touch()  # the same content


def test_its_own_error_comes_first(root: Path) -> None:
    def fails() -> None:
        with steady_inputs("one", root):
            (root / "data/table").unlink()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()


def test_without_a_pipeline_nothing_is_compared(tmp_path: Path) -> None:
    with steady_inputs("one", tmp_path):
        (tmp_path / "params.yaml").write_text("x: 1")
