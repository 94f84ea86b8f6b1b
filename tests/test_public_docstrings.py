"""Every public name lists its parameters, results and errors, and has an example that runs."""

import doctest
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import leitmotif

ROOT = Path(__file__).parents[1]
OF_A_RUN = {"ActivationStore"}
"""Their examples read data/, which only a run of the pipeline makes."""
OBJECTS = [name for name in leitmotif.__all__ if callable(getattr(leitmotif, name))]


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Public functions and methods, and the classes themselves."""
    for name in OBJECTS:
        value = getattr(leitmotif, name)
        yield name, value
        if inspect.isclass(value):
            for key, member in vars(value).items():
                plain = getattr(member, "__func__", member)
                if inspect.isfunction(plain) and (key == "__call__" or not key.startswith("_")):
                    yield f"{name}.{key}", plain


ALL = dict(functions())


def parameters(value: Callable[..., Any]) -> list[str]:
    if inspect.isclass(value) and value.__init__ is object.__init__:  # type: ignore[misc]
        return []
    names = inspect.signature(value).parameters
    return [name for name in names if name not in ("self", "cls", "args", "kwargs")]


def listed(docstring: str) -> set[str]:
    """Names in the list ``Parameters``: ``name: text``, or ``a, b`` on a line of their own."""
    section = re.search(r"Parameters\n-+\n(.*?)(\n\n|\Z)", docstring, re.DOTALL)
    lines = section[1].splitlines() if section else []
    names = [re.match(r"([*\w]+(?:, \w+)*)(?: ?:|$)", line) for line in lines]
    return {name for match in names if match for name in match[1].split(", ")}


@pytest.mark.parametrize("name", ALL)
def test_all_parameters_are_in_a_list(name: str) -> None:
    assert set(parameters(ALL[name])) <= listed(inspect.getdoc(ALL[name]) or "")


@pytest.mark.parametrize("name", ALL)
def test_what_is_returned_has_a_section(name: str) -> None:
    value = ALL[name]
    returns = None if inspect.isclass(value) else inspect.signature(value).return_annotation
    if returns is not None:
        assert re.search(r"(Returns|Yields)\n-{6,}\n", inspect.getdoc(value) or "")


@pytest.mark.parametrize("name", OBJECTS)
def test_errors_are_named(name: str) -> None:
    value = getattr(leitmotif, name)
    inside = inspect.getdoc(value) or ""
    raised = r"\b[Rr]aise[sd]?\b"
    assert re.search(raised, inside), f"{name} does not say what it raises"


@pytest.mark.parametrize("name", OBJECTS)
def test_the_example_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    value = getattr(leitmotif, name)
    (example,) = doctest.DocTestFinder(recurse=False).find(value, name, globs={name: value})
    assert example.examples, f"{name} has no example"
    if name in OF_A_RUN:
        return
    said: list[str] = []
    doctest.DocTestRunner().run(example, out=said.append)
    assert not said, "".join(said)
