"""``leitmotif use`` and ``deps``: the files that say what the pipeline does."""

from typing import Annotated

import typer


def use(
    preset: Annotated[str, typer.Argument(help="Name of a file in presets/, without .yaml.")],
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

    Its folders are added to dvc.yaml. The command shows what changed.
    """
    from leitmotif.cli.presets import use as use_preset

    diff = use_preset(preset, settings or [], force=force)
    typer.echo(diff.rstrip() or "params.yaml says this already; nothing changed")


def deps() -> None:
    """Update the dependencies in dvc.yaml.

    They are the modules that each stage imports and the folders that its settings name. The
    command shows what changed.
    """
    from leitmotif.cli.dependencies import write_dependencies

    typer.echo(write_dependencies().rstrip() or "dvc.yaml says this already; nothing changed")
