"""What a worker does by itself, without a cluster: it checks before it works."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from leitmotif.cluster import calls
from leitmotif.cluster.calls import Call, call_of
from leitmotif.cluster.software import software
from leitmotif.errors import ConfigError, StoreError
from leitmotif.files import replacing


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    """A call as a worker meets it that does not wait for other machines."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(calls, "SECONDS_TO_BE_SEEN", 0.2)
    monkeypatch.setattr(replacing, "marks", [])
    monkeypatch.setenv("LEITMOTIF_WORKERS", "5")
    with call_of(abs, tmp_path / "calls") as call:
        yield call


def test_an_item_becomes_a_result_that_is_taken_once(call: Call) -> None:
    call.put(0, -3)
    call.work_on(0)
    assert os.environ["LEITMOTIF_WORKERS"] == "1"
    call.work_on(0)  # given out again: the result is there
    assert call.take(0) == 3
    assert {path.name for path in call.folder.iterdir()} == {"function"}


def test_nothing_is_begun_once_it_is_stopped(call: Call) -> None:
    call.put(0, -3)
    call.stop()
    call.work_on(0)
    with pytest.raises(StoreError, match="does not come into sight"):
        call.take(0)


@pytest.mark.fault(
    "Dask cluster",
    "a worker does not see the folder of the stage",
    outcome="the stage stops and says what must be shared",
)
def test_a_folder_that_is_not_shared(call: Call, tmp_path: Path) -> None:
    elsewhere = replace(call, folder=tmp_path / "only-there")
    with pytest.raises(ConfigError, match=r"(?s)does not see.*only-there.*all machines share"):
        elsewhere.work_on(0)


@pytest.mark.parametrize("name", ["leitmotif", "python", "libraries"])
def test_other_software_is_refused_by_name(call: Call, name: str) -> None:
    other = replace(call, software=replace(software(), **{name: "another"}))
    other.put(0, -3)
    with pytest.raises(ConfigError, match=rf"(?s)found: +{name} .*expected: +{name} another"):
        other.work_on(0)


def test_what_killed_runs_left_goes(call: Call, tmp_path: Path) -> None:
    left = tmp_path / "calls" / f".call.{2**40}-0.partial"
    left.mkdir()
    with call_of(abs, tmp_path / "calls") as another:
        assert not left.exists()
        assert call.folder.exists()
        assert another.name != call.name
    assert not another.folder.exists()
