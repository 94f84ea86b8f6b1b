"""``leitmotif deps``: what is derived, and that nothing else in dvc.yaml changes."""

import json
import shutil
from pathlib import Path

import pytest
from dvc.repo import Repo

from leitmotif.cli import presets
from leitmotif.cli.dependencies import MARK, with_dependencies, write_dependencies
from leitmotif.config import load_params
from leitmotif.errors import ConfigError
from leitmotif.files.yaml_files import parse_yaml
from leitmotif.pipeline.watched import check_watched

STAGE = """\
# The pipeline.
stages:
  manifest:
    cmd: python -m leitmotif.stages manifest
    deps:
      # Made by the stage before.
      - data/corpus
{derived}
    params:
      - manifest

  probes:  # reads other models too
    cmd: python -m leitmotif.stages probes
    params:
      - sae
      - probes
    deps:
      - ${{model.watch}}
{derived}
"""


@pytest.fixture
def repository(tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what the command reads, and the working directory."""
    shutil.copytree(repo_root / "presets", tmp_path / "presets")
    shutil.copytree(
        repo_root / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("dvc.yaml", "hooks.yaml", "params.yaml"):
        shutil.copy(repo_root / name, tmp_path)
    for name in ("planner", "reader", "blind", "sae", "mine"):
        (tmp_path / "models" / "organism" / name).mkdir(parents=True)
    for site in (0, 1, 2, 3, 5):
        (tmp_path / "models" / "organism" / "sae" / f"layers.{site}.residual").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def deps(root: Path, stage: str) -> list[str]:
    stages = parse_yaml((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    dependencies: list[str] = stages[stage]["deps"]
    return dependencies


def test_what_is_there_is_what_is_written(repository: Path) -> None:
    before = (repository / "dvc.yaml").read_bytes()
    assert write_dependencies() == ""
    assert (repository / "dvc.yaml").read_bytes() == before


def test_missing_and_superfluous_lines_are_mended_and_shown(repository: Path) -> None:
    path = repository / "dvc.yaml"
    right = path.read_text(encoding="utf-8")
    path.write_text(
        right.replace("      - src/leitmotif/corpus/manifest.py\n", "      - src/absent.py\n"),
        encoding="utf-8",
    )
    diff = write_dependencies()
    assert "-      - src/absent.py\n+      - src/leitmotif/corpus/manifest.py\n" in diff
    assert path.read_text(encoding="utf-8") == right


@pytest.mark.parametrize(
    "derived",
    [
        "      - src/leitmotif/errors.py\n      - models/organism/reader",  # a stage that is new
        f"      {MARK}",
        f"      {MARK}\n      - models/absent\n      - src/leitmotif/old.py",
    ],
)
def test_comments_order_and_what_is_written_by_hand_stay(repository: Path, derived: str) -> None:
    written = with_dependencies(STAGE.format(derived=derived), load_params())
    lines = written.splitlines()
    kept = [line for line in lines if not line.startswith(("      - src/", "      - models/"))]
    assert kept == STAGE.format(derived=f"      {MARK}").splitlines()
    assert "      - src/leitmotif/stages/manifest.py" in lines
    assert "absent" not in written
    assert parse_yaml(written)["stages"]["probes"]["deps"].count("models/organism/reader") == 1
    assert with_dependencies(written, load_params()) == written


def test_a_module_that_is_new_or_gone_counts(repository: Path) -> None:
    source = repository / "src" / "leitmotif"
    (source / "corpus" / "extra.py").write_text("")
    manifest = source / "stages" / "manifest.py"
    was = manifest.read_text(encoding="utf-8")
    manifest.write_text(f"{was}\n\ndef f():\n    import leitmotif.corpus.extra\n", encoding="utf-8")
    write_dependencies()
    assert "src/leitmotif/corpus/extra.py" in deps(repository, "manifest")
    manifest.write_text(was, encoding="utf-8")
    write_dependencies()
    assert "src/leitmotif/corpus/extra.py" not in deps(repository, "manifest")


def test_a_folder_stands_for_its_files_only_where_all_are_imported(repository: Path) -> None:
    assert "src/leitmotif/musicgen" in deps(repository, "interventions")
    (repository / "src" / "leitmotif" / "musicgen" / "unused.py").write_text("")
    write_dependencies()
    dependencies = deps(repository, "interventions")
    assert "src/leitmotif/musicgen" not in dependencies
    assert "src/leitmotif/musicgen/hooked.py" in dependencies
    assert "src/leitmotif/musicgen/unused.py" not in dependencies
    # A package's own file that is no more than a docstring counts nowhere.
    assert "src/leitmotif/audio/__init__.py" not in dependencies


def test_a_comparison_of_ones_own_is_watched(repository: Path) -> None:
    diff = presets.use("organism", ["probes.comparisons=[models/organism/mine]"], force=True)
    assert "+  - models/organism/mine" in diff
    assert "+      - models/organism/mine" in diff
    for stage in ("probes", "calibration", "interventions"):
        assert "models/organism/mine" in deps(repository, stage)
        assert "models/organism/reader" not in deps(repository, stage)
    for stage in ("sae", "summary", "report"):
        assert "models/organism/mine" not in deps(repository, stage)
    check_watched(load_params())


def test_an_autoencoder_of_ones_own_is_watched(repository: Path) -> None:
    own = repository / "models" / "own-sae"
    own.mkdir()
    hooks = repository / "hooks.yaml"
    text = hooks.read_text(encoding="utf-8")
    path = "models/organism/sae/layers.2.residual"
    hooks.write_text(text.replace(path, "models/own-sae"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"sae\.hooks names\n.*models/own-sae"):
        check_watched(load_params())
    write_dependencies()
    for stage in ("sae", "probes", "interventions", "summary", "report"):
        assert "models/own-sae" in deps(repository, stage)
        assert path not in deps(repository, stage)
    assert "models/own-sae" not in deps(repository, "calibration")


def test_a_file_of_pairs_is_watched_by_the_swaps_alone(repository: Path) -> None:
    (repository / "my pairs.csv").touch()
    presets.use("organism", ["swaps.pairs=my pairs.csv"])
    assert "my pairs.csv" in deps(repository, "swaps")
    stages = parse_yaml((repository / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    assert [name for name, stage in stages.items() if "my pairs.csv" in stage["deps"]] == ["swaps"]
    check_watched(load_params())
    presets.use("organism", [])
    assert "my pairs.csv" not in deps(repository, "swaps")


def test_what_the_hub_pins_is_not_watched(repository: Path) -> None:
    presets.use("musicgen-small", force=True)
    dependencies = {dep for stage in ("probes", "summary") for dep in deps(repository, stage)}
    assert not any(dep.startswith("models/") for dep in dependencies)
    check_watched(load_params())


def test_a_stage_without_deps_is_an_error(repository: Path) -> None:
    text = "stages:\n  corpus:\n    cmd: x\n    params:\n      - corpus\n"
    with pytest.raises(ConfigError, match="the stage corpus has no deps"):
        with_dependencies(text, load_params())


@pytest.mark.fault("dvc.yaml", "a folder with special characters", outcome="as typed, for DVC too")
def test_folders_of_any_name_are_watched(repository: Path) -> None:
    odd = ["mix #1", "a: b", "it's", '"q"', "${x}", "[a]", "- a", "Kalāma", "a\\b", " a "]
    folders = [f"models/{name}" for name in odd]
    for folder in folders:
        (repository / folder).mkdir()
    chosen = f"probes.comparisons={json.dumps(folders)}"
    presets.use("organism", [chosen], root=repository, force=True)
    assert write_dependencies() == ""
    watched = resolved_stages(repository)["probes"]["deps"]
    assert set(folders) <= set(watched)
    check_watched(load_params(repository / "params.yaml"), repository)


def resolved_stages(root: Path) -> dict[str, dict[str, list[str]]]:
    """The stages of dvc.yaml as DVC resolves them."""
    with Repo.init(str(root), no_scm=True) as repo:
        return {
            stage.name: {"deps": [dep.def_path for dep in stage.deps]}
            for stage in repo.stage.load_all("dvc.yaml")
        }


@pytest.mark.fault(
    "src/leitmotif",
    "without its stages, or a source that is broken",
    outcome="named error, dvc.yaml and params.yaml untouched",
)
@pytest.mark.parametrize(
    ("gone", "source", "named"),
    [
        ("stages", None, "no src/leitmotif/stages/report.py"),
        ("", None, "no src/leitmotif/stages/report.py"),
        ("stages/probes.py", None, "src/leitmotif/stages/probes.py"),
        ("tables/base.py", b"def f(:\n", "src/leitmotif/tables/base.py: .*line 1"),
        ("tables/base.py", b"\xff\xfe", "src/leitmotif/tables/base.py: .*utf-8"),
        ("tables/base.py", b"a = '\0'", "src/leitmotif/tables/base.py: .*null"),
        ("tables/base.py", b"from ........a import b", "src/leitmotif/tables/base.py: .*relative"),
        ("bench/__init__.py", b"<<<<<<< HEAD", "src/leitmotif/bench/__init__.py: .*line 1"),
    ],
)
def test_a_source_that_is_broken_is_named(
    repository: Path, gone: str, source: bytes | None, named: str
) -> None:
    path = repository / "src" / "leitmotif" / gone
    if source is not None:
        path.write_bytes(source)
    elif path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    before = [(repository / name).read_bytes() for name in ("dvc.yaml", "params.yaml")]
    with pytest.raises(ConfigError, match=named):
        write_dependencies()
    with pytest.raises(ConfigError, match=named):
        presets.use("organism", ["probes.folds=3"], force=True)
    assert [(repository / name).read_bytes() for name in ("dvc.yaml", "params.yaml")] == before


@pytest.mark.fault("dvc.yaml", "lists in another form", outcome="refused by name")
@pytest.mark.parametrize(
    "lists",
    [
        "    deps: [data/corpus]\n    params:\n      - corpus\n",
        "    deps: data/corpus\n    params:\n      - corpus\n",
        "    deps:\n    - data/corpus\n    params:\n    - corpus\n",
        "    deps:\n        - data/corpus\n    params:\n      - corpus\n",
        "    deps:\n      - data/corpus\n\n      - data/x\n    params:\n      - corpus\n",
        "    deps:\n      - data/corpus\n    params:\n",
        "    deps:\n      - data/corpus\n    params: corpus\n",
    ],
)
def test_lists_of_another_form_are_refused(repository: Path, lists: str) -> None:
    with pytest.raises(ConfigError, match="of the stage corpus are no lists as git has them"):
        with_dependencies(f"stages:\n  corpus:\n    cmd: x\n{lists}", load_params())


def test_deps_may_be_empty_or_end_the_file(repository: Path) -> None:
    end = "    params: [corpus]\n    deps:\n      - data/x"
    for lists in ("    deps:\n    params: [corpus]\n", end):
        written = with_dependencies(f"stages:\n  corpus:\n    cmd: x\n{lists}", load_params())
        (stage,) = parse_yaml(written)["stages"].values()
        assert "src/leitmotif/stages/corpus.py" in stage["deps"]
        assert ("data/x" in stage["deps"]) == (lists == end)
