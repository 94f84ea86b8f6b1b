"""A checkout that can be published, and a hub to publish it to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.share.publish.published_project import make_project
from tests.share.publish.writable_hub import TOKEN, WritableHub, serve_writable_hub


@pytest.fixture
def project(tmp_path: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checkout, in which the test runs."""
    root = make_project(tmp_path / "project", repo_root)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WritableHub]:
    """A hub whose token this process has."""
    from huggingface_hub import constants, set_client_factory
    from huggingface_hub.utils import _http

    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    with serve_writable_hub() as hub:
        yield hub
    set_client_factory(_http.default_client_factory)
