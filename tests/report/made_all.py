"""A study with everything that a page of the report is made of."""

import shutil
from pathlib import Path

from tests.report.lens.made_lens import write_lens
from tests.report.made import Made
from tests.report.made_features import add_features
from tests.report.made_tracks import write_tracks
from tests.report.swaps.made_swaps import write_swaps


def write_all(made: Made, repo_root: Path) -> None:
    """Write a study, settings and models, from which the stage makes every kind of page."""
    made.write()
    (made.root / "models").symlink_to(repo_root / "models")
    shutil.copy(repo_root / "presets/organism.yaml", made.root / "params.yaml")
    shutil.copy(repo_root / "hooks.yaml", made.root / "hooks.yaml")
    add_features(made.root / "data", "planner-1", [9, 30])
    write_lens(made.root)
    write_swaps(made.root)
    write_tracks(made)
