"""``leitmotif status``: where an experiment stands, on one screen."""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leitmotif.cli.columns import WIDTH, column, cut, listed, one_line
from leitmotif.cli.options import Replace
from leitmotif.errors import counted

if TYPE_CHECKING:
    from leitmotif.cli.presets import PresetInUse
    from leitmotif.feasibility.funnel import Step
    from leitmotif.status.overview import Status

LINES = 48
"""Maximum number of lines."""
_PROBLEMS, _OF_STATE, _REASONS = 3, 2, 7
"""Maximum number of lines of problems, of the stages in one state, and below the next command."""


def status(
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all of it as JSON, too.")
    ] = None,
    replace: Replace = False,
) -> None:
    """Print where the experiment stands, and the next command.

    The command reads settings, stages and tables, takes seconds, and changes nothing. It does not
    look for changed sources and data; `dvc status` does.
    """
    from leitmotif.cli.presets import preset_in_use
    from leitmotif.files import write_json
    from leitmotif.files.targets import check_file
    from leitmotif.status.overview import read_status

    if json is not None:
        check_file(json, made=_is_status, replace=replace)
    now, preset = read_status(), preset_in_use()
    for line in as_lines(now, preset):
        typer.echo(line)
    if json is not None:
        values = {"preset": None if preset is None else preset.name, **now.as_json()}
        write_json(json, values)


def print_next() -> None:
    """Print the next command, as the last line of another one."""
    from leitmotif.status.overview import read_status

    typer.echo(read_status().next_line)


def as_lines(now: "Status", preset: "PresetInUse | None" = None) -> list[str]:
    """The screen: at most ``LINES`` lines of at most ``columns.WIDTH`` characters.

    Where there is more to say, the last tracks give way: the next command is always there.
    """
    blocks = [_settings(now, preset), _stages(now), _decisions(now), _needs(now), _tracks(now)]
    lines = [line for block in blocks if block for line in (*block, "")]
    last = _next(now)
    return [cut(line) for line in [*lines[: LINES - len(last)], *last]]


def _settings(now: "Status", preset: "PresetInUse | None") -> list[str]:
    from leitmotif.config.auto import notices
    from leitmotif.feasibility.rehearsal import REHEARSAL
    from leitmotif.status.needs import auto_words

    material, params = now.material, now.material.params
    lines = [f"  problem: {one_line(problem)}" for problem in material.problems[:_PROBLEMS]]
    if len(material.problems) > _PROBLEMS:
        lines.append(f"  and {counted(len(material.problems) - _PROBLEMS, 'more problem')}")
    if params is None:
        return ["Settings", *lines]
    lines = [f"  {line}" for notice in notices(params) for line in _wrapped(notice, "")] + lines
    horizons = [f"{after:g}-{until:g} s" for after, until in params.probes.horizons]
    least = params.probes.minimum_seconds
    facts = [
        "Settings" if preset is None else f"Settings: {preset}",
        f"  model     {one_line(params.model.name)}",
        f"  source    {params.corpus.source}: {one_line(params.corpus.path)}",
        listed("  horizons  ", [*horizons, f"of which claims are made from {least:g} s on"]),
    ]
    if now.rehearsal:
        words = f"{REHEARSAL}; `leitmotif use musicgen-folder` names a model that does"
        facts += _wrapped(words, "  ")
    if words := auto_words(material):
        facts += _wrapped(words, "  auto      ")
    if params.probes.exploratory:
        facts.append("  exploratory: undecided tracks are used, and nothing is a claim")
    return [*facts, *lines]


def _stages(now: "Status") -> list[str]:
    from leitmotif.status.stages import STATES

    lines = []
    for state in STATES:
        names = now.in_state(state)
        lines += _wrapped(", ".join(names), f"  {state:<10}")[:_OF_STATE] if names else []
    return ["Stages", *lines] if lines else []


def _decisions(now: "Status") -> list[str]:
    material = now.material
    if material.params is None or material.params.labels.source != "decisions":
        return []
    if material.proposals is None:
        return ["Decisions: there are no proposals yet"]
    said = material.outcomes
    open_ = said.get("pending", 0) + said.get("disagreed", 0)
    total = len(material.proposals)
    reviewers = sorted({decision.reviewer for decision in material.decisions})
    head = f"Decisions: {open_} of {counted(total, 'proposal')} pending"
    counts = [f"{n} {name.replace('_', ' ')}" for name, n in said.items() if n]
    by = f" (by {', '.join(reviewers)})" if reviewers else ""
    return [head + by, *([listed("  ", counts)] if counts else [])]


def _needs(now: "Status") -> list[str]:
    from leitmotif.status.needs import as_words

    params = now.material.params
    if now.needs is None or params is None:
        return []
    words = as_words(now.needs, params)
    return ["Needs", *(line for name, text in words for line in _wrapped(text, f"  {name:<10}"))]


def _tracks(now: "Status") -> list[str]:
    from leitmotif.status.needs import searched_seconds

    lines = [line for step in now.steps for line in _step(step)]
    if not lines:
        return []
    seconds, params = searched_seconds(now.material), now.material.params
    if seconds is None or params is None:
        return ["Tracks", *lines]
    windows = f"manifest.windows: {params.manifest.windows}"
    return [f"Tracks: {seconds[0]:.0f} of {seconds[1]:.0f} s are searched ({windows})", *lines]


def _step(step: "Step") -> list[str]:
    known = step.tracks is not None
    note = step.note if known else f"not known yet: the stage {step.told_by} will tell"
    return _wrapped(note, f"  {column(step.tracks, 5)}{column(step.name, 31)}")


def _next(now: "Status") -> list[str]:
    step = now.next
    why = "; ".join(filter(None, [step.why, step.time]))
    reasons = [line for text in (why, *step.advice) for line in _wrapped(text, "    ")]
    return ["Next", cut(f"  {one_line(step.command)}"), *reasons[:_REASONS]]


def _wrapped(text: str, start: str) -> list[str]:
    """Lines of ``WIDTH``, the first after ``start`` and the others below its end."""
    return textwrap.wrap(
        one_line(text), WIDTH, initial_indent=start, subsequent_indent=" " * len(start)
    ) or [start.rstrip()]


def _is_status(path: Path) -> bool:
    from leitmotif.files.targets import json_object

    return {"next", "tracks", "rehearsal"} <= json_object(path).keys()
