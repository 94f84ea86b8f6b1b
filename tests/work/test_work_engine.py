"""Where work is done is chosen around everything that a stage does, and left again."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from leitmotif.config import ExecutionParams
from leitmotif.errors import ConfigError, WorkerError
from leitmotif.work import WORKERS, engine
from leitmotif.work.engine import number_of_workers, working_on
from leitmotif.work.parallel import in_parts, in_processes

LOCAL = ExecutionParams(engine="local", address=None, workers=None)


class Noting:
    """An engine that does everything here, and notes what it was given."""

    def __init__(self) -> None:
        self.given: list[object] = []

    def each(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self.given.append(item)
            yield function(item)

    def each_part(
        self,
        function: Callable[[Sequence[Any]], Any],
        parts: Sequence[Sequence[Any]],
        lost: Callable[[Any, WorkerError], Any],
    ) -> Iterator[Any]:
        return self.each(function, parts)


@pytest.fixture
def noting(monkeypatch: pytest.MonkeyPatch) -> Noting:
    noting = Noting()
    monkeypatch.setattr(engine.CHOICE, "engine", noting)
    return noting


def test_a_chosen_engine_gets_the_work(noting: Noting) -> None:
    assert list(in_processes(abs, [-1, -2], workers=1)) == [1, 2]
    lost = pytest.fail
    assert list(in_parts(len, range(5), size=2, lost=lost)) == [2, 2, 1]
    assert noting.given == [-1, -2, range(2), range(2, 4), range(4, 5)]


def test_a_single_item_stays_here(noting: Noting) -> None:
    assert list(in_processes(abs, [-1])) == [1]
    assert list(in_parts(len, range(1), size=2, lost=pytest.fail)) == [1]
    assert noting.given == []


def test_the_settings_say_how_many_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(WORKERS)
    usual = number_of_workers()
    with working_on(LOCAL.model_copy(update={"workers": 7}), tmp_path):
        assert number_of_workers() == 7
        assert number_of_workers(3) == 3
        monkeypatch.setenv(WORKERS, "2")
        assert number_of_workers() == 2
        monkeypatch.delenv(WORKERS)
    assert number_of_workers() == usual
    assert not list(tmp_path.iterdir())


def test_without_the_package_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("leitmotif.cluster")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "distributed", None)
    settings = ExecutionParams(engine="dask", address="tcp://127.0.0.1:1", workers=None)
    with (
        pytest.raises(ConfigError, match=r"(?s)distributed.*extra cluster.*leitmotif\[cluster\]"),
        working_on(settings, tmp_path),
    ):
        pass


def test_dask_needs_an_address() -> None:
    for address in (None, ""):
        with pytest.raises(ValueError, match="needs the address of a scheduler"):
            ExecutionParams(engine="dask", address=address, workers=None)
