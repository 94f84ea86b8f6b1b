"""A report of the tiny study, built once."""

from pathlib import Path

import pytest

from leitmotif.config import ReportParams
from leitmotif.report.build import Reported, build_report
from leitmotif.report.material import read_material
from leitmotif.report.tracks import TrackSources
from tests.report.made import Made

ALL = ReportParams(
    conditions=[
        "patch",
        "ablate",
        "scale",
        "control",
        "random_feature",
        "local_feature",
        "zero_effect",
        "counterfactual",
    ],
    features=0,
)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """A study that is not written yet."""
    return Made(tmp_path / "study")


def built(
    made: Made, out: Path, settings: ReportParams = ALL, tracks: TrackSources | None = None
) -> Path:
    """Write a study and the report of it."""
    out.mkdir()
    build_report(out, Reported(read_material(made.write()), tracks=tracks), settings)
    return out


@pytest.fixture(scope="session")
def report_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the unchanged study; not to be written to."""
    folder = tmp_path_factory.mktemp("report")
    return built(Made(folder / "study"), folder / "built")
