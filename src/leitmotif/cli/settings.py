"""``leitmotif use`` and ``deps``: the files that say what the pipeline does."""

from typing import Annotated

import typer

from leitmotif.errors import ConfigError


def _preset_names(incomplete: str) -> list[str]:
    """Names that the shell completes."""
    from leitmotif.cli.presets import available

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
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite changes that are not in git.")
    ] = False,
) -> None:
    """Write params.yaml from a preset.

    Its folders are added to dvc.yaml. The command shows what changed. Without a preset it lists
    them, and changes nothing.
    """
    from leitmotif.cli.presets import listing, preset_in_use
    from leitmotif.cli.presets import use as use_preset
    from leitmotif.cli.status import print_next

    if preset is None:
        if settings or force:
            raise ConfigError(
                "--set and --force change a preset, and none is named",
                fix="leitmotif use PRESET --set KEY=VALUE",
            )
        lines, now = listing(), preset_in_use()
        typer.echo("\n".join(lines) or "there are no presets here: run this in the repository")
        if now is not None:
            typer.echo(f"params.yaml: {now}")
        return
    diff = use_preset(preset, settings or [], force=force)
    typer.echo(diff.rstrip() or "params.yaml says this already; nothing changed")
    print_next()


def deps() -> None:
    """Update the dependencies in dvc.yaml.

    They are the modules that each stage imports and the folders that its settings name. The
    command shows what changed.
    """
    from leitmotif.cli.dependencies import write_dependencies

    typer.echo(write_dependencies().rstrip() or "dvc.yaml says this already; nothing changed")
