"""The program ``leitmotif``: its commands, and how its errors are printed."""

import re
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

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
from leitmotif.errors import LeitmotifError, unusable

_EMPTY_VALUE = re.compile(r"--[\w-]+=")
"""An option with nothing behind its sign."""


class Commands(TyperGroup):
    """All commands; what is typed passes through here before any of them has it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse an empty text: a shell makes it of a variable that is not set.

        Taken as a path it would be the working directory. Raises LeitmotifError.
        """
        for number, word in enumerate(args):
            if not word or _EMPTY_VALUE.fullmatch(word):
                before = " ".join(["leitmotif", *args[:number]])
                raise LeitmotifError(
                    "an argument is empty",
                    found=f"{before} {word or repr('')}",
                    expected="a value, or nothing",
                    fix="give the value; of a shell's variable, look whether it is set",
                )
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=Commands,
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
        _stop(error)
    except OSError as error:
        from leitmotif.files import is_full_disk

        if is_full_disk(error):
            # What was printed, perhaps: whatever else is written says so itself.
            fix = "free some space and run the command again"
            _stop(LeitmotifError("the disk is full", found=error, fix=fix))
        if explained := unusable(error):
            _stop(explained)
        raise
    except ModuleNotFoundError as error:
        from leitmotif.cli.extras import missing_extra

        if extra := missing_extra(error):
            _stop(extra)
        raise


def _stop(error: object) -> NoReturn:
    from leitmotif.cli.columns import on_screen

    typer.echo(f"error: {on_screen(error)}", err=True)
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
