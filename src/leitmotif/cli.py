"""``leitmotif …``: the commands for people. The pipeline itself is run by ``dvc repro``."""

from pathlib import Path
from typing import Annotated

import typer

from leitmotif import __version__
from leitmotif.errors import LeitmotifError

app = typer.Typer(
    name="leitmotif",
    help="Do autoregressive music models foresee long-horizon structure?",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line; an expected error is printed without a traceback, with status 1."""
    try:
        app()
    except LeitmotifError as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(1) from None


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    pass


@app.command()
def use(
    preset: Annotated[str, typer.Argument(help="A file in presets/, without .yaml.")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a key of it; may be repeated."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over changes that are not in git.")
    ] = False,
) -> None:
    """Write params.yaml from a preset, and show what changed."""
    from leitmotif import presets

    diff = presets.use(preset, settings or [], force=force)
    typer.echo(diff.rstrip() or "params.yaml says this already; nothing changed")


@app.command()
def verify(
    full: Annotated[
        bool, typer.Option("--full", help="Hash every tensor again: finds any flipped bit.")
    ] = False,
    root: Annotated[Path, typer.Argument(help="Folder of the activation store.")] = Path(
        "data/activations"
    ),
) -> None:
    """Check the stored activations (status 1 on a problem)."""
    from leitmotif import store

    problems = store.verify(root, full=full)
    for problem in problems:
        typer.echo(str(problem), err=True)
    if problems:
        raise typer.Exit(1)
    typer.echo(f"{root}: no problem found{' (every tensor hashed)' if full else ''}")


@app.command()
def compose(
    out: Annotated[Path, typer.Argument(help="Folder for the shard; must not exist.")],
    pieces: Annotated[int, typer.Option(min=1, help="Number of pieces.")] = 128,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same bytes.")] = 7,
    world: Annotated[Path, typer.Option(help="Description of the music.")] = Path(
        "models/organism/world.json"
    ),
) -> None:
    """Compose a shard of the organism's music, with its truth."""
    from leitmotif.corpus.organism.shard import write_shard
    from leitmotif.corpus.organism.world import load_world

    write_shard(load_world(world), out, pieces=pieces, seed=seed)
    typer.echo(f"{pieces} pieces in {out}")
