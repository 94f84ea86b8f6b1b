"""Plans of the presets."""

from collections.abc import Callable
from pathlib import Path

import pytest

from leitmotif.cli.preset_texts import preset
from leitmotif.config import parse_params
from leitmotif.files.yaml_files import parse_yaml
from leitmotif.plan.scale import Scale


@pytest.fixture
def scale_of(repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Scale]:
    """The experiment of a preset, with settings changed."""
    monkeypatch.chdir(repo_root)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def made(name: str, *settings: str) -> Scale:
        return Scale(parse_params(parse_yaml(preset(name, settings))))

    return made
