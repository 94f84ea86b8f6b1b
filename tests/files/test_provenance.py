"""The version of code: of all files that decide a result, and of nothing else."""

import shutil
from pathlib import Path

import pytest

from leitmotif.files.imports import PACKAGE
from leitmotif.files.provenance import code_version


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of this package, to be edited."""
    ignored = shutil.ignore_patterns("__pycache__")
    return shutil.copytree(PACKAGE, tmp_path / "leitmotif", ignore=ignored)


def edit(path: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8") + "# why\n", encoding="utf-8")


def test_a_copy_has_the_same_version(package: Path) -> None:
    module = "leitmotif.causal.experiment.runner"
    assert code_version(module, package=package) == code_version(module)
    assert code_version(module) != code_version("leitmotif.store.writing.build")


@pytest.mark.parametrize(
    ("module", "edited"),
    [
        # What a clip's tokens depend on through the autoencoder, which a list by hand had left out.
        ("causal.experiment.runner", "sae/autoencoder/topk.py"),
        ("causal.experiment.runner", "sae/autoencoder/formats.py"),
        ("causal.experiment.runner", "timing/frames.py"),
        ("causal.experiment.runner", "musicgen/noise.py"),
        ("causal.experiment.runner", "sae/autoencoder/__init__.py"),
        ("store.writing.build", "timing/frames.py"),
        ("store.writing.build", "audio/decode.py"),
        ("store.writing.build", "tensors.py"),
        ("audio.analysis", "audio/artifacts.py"),
        ("recurrence.proposals.engine", "audio/reading/samples.py"),
        ("review.serve", "review/page/main.js"),
    ],
)
def test_an_edit_of_what_decides_the_bytes_changes_the_version(
    package: Path, module: str, edited: str
) -> None:
    before = code_version(f"leitmotif.{module}", package=package)
    edit(package / edited)
    assert code_version(f"leitmotif.{module}", package=package) != before


@pytest.mark.parametrize(
    ("module", "edited"),
    [
        # Settings stand in an address by their values.
        ("causal.experiment.runner", "config/__init__.py"),
        ("causal.experiment.runner", "causal/verdict.py"),
        ("store.writing.build", "config/__init__.py"),
        ("store.writing.build", "sae/autoencoder/topk.py"),
        ("recurrence.proposals.engine", "config/__init__.py"),
    ],
)
def test_an_edit_of_what_decides_nothing_keeps_finished_work(
    package: Path, module: str, edited: str
) -> None:
    before = code_version(f"leitmotif.{module}", package=package)
    edit(package / edited)
    assert code_version(f"leitmotif.{module}", package=package) == before


def test_moving_a_line_between_files_changes_the_version(package: Path) -> None:
    edit(package / "errors.py")
    before = code_version("leitmotif.files", package=package)
    for name in ("errors.py", "files/texts.py"):
        shutil.copy(PACKAGE / name, package / name)
    edit(package / "files" / "texts.py")
    assert code_version("leitmotif.files", package=package) != before


def test_a_module_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError):
        code_version("leitmotif.absent")
