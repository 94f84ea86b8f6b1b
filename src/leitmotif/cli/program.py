"""The program ``leitmotif``: its commands, and how its errors are printed."""

from typing import Annotated

import typer

from leitmotif import __version__
from leitmotif.cli.autoencoders import pin_sae, train_sae
from leitmotif.cli.bench import bench
from leitmotif.cli.check import check
from leitmotif.cli.compare import compare
from leitmotif.cli.experiments import experiments
from leitmotif.cli.labelling import agreement, import_labels, review
from leitmotif.cli.outputs import replay, report, results, verify
from leitmotif.cli.plan import plan
from leitmotif.cli.publish import publish
from leitmotif.cli.recordings import compose, propose
from leitmotif.cli.remote import remote
from leitmotif.cli.settings import deps, use
from leitmotif.cli.status import status
from leitmotif.errors import LeitmotifError

app = typer.Typer(
    name="leitmotif",
    help="Do autoregressive music models foresee long-horizon structure?",
    no_args_is_help=True,
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
    except ModuleNotFoundError as error:
        from leitmotif.cli.extras import missing_extra

        explained = missing_extra(error)
        if explained is None:
            raise
        typer.echo(f"error: {explained}", err=True)
        raise SystemExit(1) from None


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


# Modules of commands import what a command needs inside it: help must not wait for torch.
app.command()(use)
app.command()(status)
app.command()(deps)
app.command(name="train-sae")(train_sae)
app.command(name="pin-sae")(pin_sae)
app.command()(verify)
app.command()(compose)
app.command()(propose)
app.command()(review)
app.command(name="import-labels")(import_labels)
app.command()(agreement)
app.command()(report)
app.command()(results)
app.command()(replay)
app.command()(experiments)
app.command()(bench)
app.command()(check)
app.command()(plan)
app.command()(compare)
app.command()(publish)
app.add_typer(remote)
