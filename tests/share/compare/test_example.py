"""The example in the documentation is what the command writes."""

import subprocess
from pathlib import Path

import pytest

from leitmotif.errors import LeitmotifError
from leitmotif.share.compare import CAP
from leitmotif.share.compare.writing import Targets, compared_to


def test_the_example_is_what_the_command_writes(repo_root: Path, tmp_path: Path) -> None:
    pytest.importorskip("vl_convert", reason="needs the extra compare: make env installs it")
    shown = (repo_root / "docs" / "examples" / "comparison.md").read_text(encoding="utf-8")
    out = tmp_path / "comparison.md"
    targets = Targets(out, tmp_path / "comparison", assets_url="comparison", comment=True)
    # A clone has no DVC cache, which would have rows to show.
    clone = tmp_path / "clone"
    command = ["git", "clone", "--quiet", "--shared", "--no-checkout", repo_root, clone]
    subprocess.run(command, check=True, capture_output=True)
    try:
        compared_to("5cb8ab8", "69c9bf0", targets, root=clone)
    except LeitmotifError as error:
        if "shallow" in str(error):
            pytest.skip("needs the whole history")
        raise
    assert out.read_text(encoding="utf-8") == shown, (
        "run leitmotif compare 5cb8ab8 69c9bf0 --md docs/examples/comparison.md --comment "
        "--assets docs/examples/comparison --assets-url comparison --replace"
    )
    assert len(shown) < CAP / 3
    pictures = {path.name for path in (repo_root / "docs" / "examples" / "comparison").iterdir()}
    assert {path.name for path in (tmp_path / "comparison").iterdir()} == pictures
