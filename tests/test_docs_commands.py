"""Every command that the documentation names exists, with the options and arguments it gives."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from leitmotif.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND: Any = typer.main.get_command(app)
MAKE = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))


def shell_lines(text: str) -> Iterator[list[str]]:
    """Commands of a page: those of its shell examples, and those named within a sentence."""
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    lines += re.findall(r"`((?:leitmotif|make|python -m leitmotif) [^`]*)`", prose)
    for line in lines:
        words = shlex.split(line.strip().removeprefix("$ "), comments=True)
        for start, word in enumerate(words):
            if word.rpartition("/")[2] in ("leitmotif", "make"):
                end = next((i for i, w in enumerate(words) if i > start and w in _ENDS), None)
                yield [word.rpartition("/")[2], *words[start + 1 : end]]
                break


_ENDS = ("&&", "|", ";", ">", "||", ">>")


def problem(words: list[str]) -> str | None:
    """What is wrong with ``leitmotif WORDS``; None if the command line takes it."""
    command = COMMAND
    arguments = 0
    options = {name for param in command.params for name in param.opts + param.secondary_opts}
    flags = _flags(command)
    waiting = False
    for word in words:
        if waiting:
            waiting = False
        elif word.startswith("-"):
            name, given, _ = word.partition("=")
            if name not in options | {"--help"}:
                return f"no option {name}"
            waiting = not given and name not in flags | {"--help"}
        elif hasattr(command, "commands"):
            if word not in command.commands:
                return f"no command {word}"
            command = command.commands[word]
            options |= {n for param in command.params for n in param.opts + param.secondary_opts}
            flags |= _flags(command)
        else:
            arguments += 1
    takes = [param for param in command.params if param.param_type_name == "argument"]
    if arguments > len(takes) and all(param.nargs == 1 for param in takes):
        return f"{arguments} arguments, and it takes {len(takes)}"
    return None


def _flags(command: Any) -> set[str]:
    return {
        name
        for param in command.params
        if getattr(param, "is_flag", False) or getattr(param, "count", False)
        for name in param.opts + param.secondary_opts
    }


def test_what_is_wrong_is_seen() -> None:
    assert problem(["use", "folder", "--set", "corpus.path=x"]) is None
    assert problem(["wander"]) == "no command wander"
    assert problem(["use", "folder", "--sett", "x"]) == "no option --sett"
    assert problem(["remote", "hide"]) == "no command hide"
    assert problem(["use", "a", "b", "c"]) == "3 arguments, and it takes 1"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_exist_as_they_are_written(page: Path) -> None:
    wrong = []
    for program, *words in shell_lines(page.read_text(encoding="utf-8")):
        if program == "make":
            targets = [word for word in words if "=" not in word and not word.startswith("-")]
            wrong += [f"make {target}" for target in targets if target not in MAKE]
        elif said := problem(words):
            wrong.append(f"leitmotif {shlex.join(words)}: {said}")
    assert wrong == []


def test_the_pages_name_most_commands() -> None:
    named = {words[1] for page in PAGES for words in shell_lines(page.read_text(encoding="utf-8"))
             if words[0] == "leitmotif" and len(words) > 1}  # fmt: skip
    assert len(named & set(COMMAND.commands)) >= 0.8 * len(COMMAND.commands)
