"""``leitmotif use`` and ``deps``: the files that say what the pipeline does."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from leitmotif.errors import ConfigError


def _preset_names(incomplete: str) -> list[str]:
    """Names that the shell completes."""
    from leitmotif.cli.preset_texts import available

    return [name for name in available() if name.startswith(incomplete)]


def use(
    preset: Annotated[
        str | None,
        typer.Argument(
            help="Name of a file in presets/, without .yaml.", autocompletion=_preset_names
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change a key of the preset; may be repeated."
        ),
    ] = None,
    branch: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Make this branch of git first, for the results of your own."
        ),
    ] = None,
    reset: Annotated[
        bool, typer.Option("--reset", help="Give up settings that were changed before.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite changes that are not in git.")
    ] = False,
) -> None:
    """Write params.yaml from a preset.

    The command adds the preset's folders to dvc.yaml and shows what changed. If params.yaml is of
    the same preset already, settings that you changed are kept. Without a preset, the command lists
    the presets and changes nothing.
    """
    from leitmotif.cli.preset_texts import title_of
    from leitmotif.cli.presets import preset_in_use
    from leitmotif.cli.presets import use as use_preset
    from leitmotif.cli.status import print_next

    if preset is None:
        if settings or force or branch or reset:
            raise ConfigError(
                "--set, --branch, --reset and --force go with a preset, and none is named",
                fix="leitmotif use PRESET --set KEY=VALUE",
            )
        _list_presets()
        return
    typed = _names(settings or [])
    typer.echo(f"{preset}: {title_of(preset)}")
    before = preset_in_use()
    apart = None if branch else _apart(preset, force=force)
    if apart:
        typer.echo(f"note: {apart}", err=True)
        branch = _asked()
    diff = use_preset(preset, settings or [], force=force, keep=not reset, branch=branch)
    if before is not None and (changed := [name for name in before.changed if name not in typed]):
        _say_what_becomes(changed, of=before.name, preset=preset, reset=reset)
    typer.echo(diff.rstrip() or "params.yaml says this already; nothing changed")
    if branch:
        typer.echo(f"branch {branch}: results of this preset stay apart from those before")
    print_next()


def _names(settings: Sequence[str]) -> set[str]:
    """Names of the settings that were typed; raises ConfigError for one that was typed twice."""
    names = [setting.partition("=")[0].strip() for setting in settings]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        values = [text for text, name in zip(settings, names, strict=True) if name == twice]
        raise ConfigError(
            f"{twice} is set twice", found=" and ".join(values), expected="one --set for each key"
        )
    return set(names)


def _list_presets() -> None:
    """Each preset in a line, and what params.yaml was made from."""
    from leitmotif.cli.presets import listing, preset_in_use

    lines, now = listing(), preset_in_use()
    typer.echo("\n".join(lines) or "there are no presets here: run this in the repository")
    if now is not None:
        typer.echo(f"params.yaml: {now}")


def _apart(preset: str, *, force: bool) -> str | None:
    """What to say where the results of another preset are committed here; None: they are not.

    None, too, where the present results are in no commit: then a refusal follows, with or without
    a branch.
    """
    from leitmotif.cli.own_runs import kept_results, note
    from leitmotif.cli.presets import committed_preset, preset_in_use

    now = preset_in_use()
    if now is not None and now.name == preset:
        return None  # it was said when the preset was chosen, and there may be a branch for it
    kept, theirs = kept_results(), committed_preset()
    if kept is None or theirs is None or theirs.name == preset:
        return None
    if now is not None and kept.unsaved and not force:
        return None
    return note(kept, theirs.name, f"leitmotif use {preset}")


def _asked() -> str | None:
    """A branch that somebody at a terminal names; None elsewhere, and where nothing is typed.

    Nothing has been written yet: Ctrl-C and the end of the input leave all as it was, and say so.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    question = "Name of a new branch for your results (empty: stay on this one)"
    try:
        answer = str(typer.prompt(question, default="", show_default=False))
    except typer.Abort:
        typer.echo("\nnothing was changed", err=True)
        raise
    return answer.strip() or None


def _say_what_becomes(changed: Sequence[str], *, of: str, preset: str, reset: bool) -> None:
    """Settings that were changed ``of`` a preset before: kept, or given up by name."""
    names = ", ".join(changed)
    if of == preset and not reset:
        typer.echo(f"kept from before: {names} (--reset gives them up)")
    else:
        typer.echo(f"given up, as they were changed of the preset {of}: {names}")


def deps() -> None:
    """Update the dependencies in dvc.yaml.

    They are the modules that each stage imports and the folders that its settings name. The
    command shows what changed.
    """
    from leitmotif.cli.dependencies import write_dependencies

    typer.echo(write_dependencies().rstrip() or "dvc.yaml says this already; nothing changed")
