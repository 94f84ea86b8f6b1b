"""``leitmotif verify``, ``report``, ``results`` and ``replay``: what a run left, and checks."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from leitmotif.cli.options import Replace
from leitmotif.errors import LeitmotifError, counted
from leitmotif.files.restoring import how_to_restore


def verify(
    full: Annotated[
        bool, typer.Option("--full", help="Hash every file again; detects any flipped bit.")
    ] = False,
    root: Annotated[
        Path | None, typer.Argument(help="Folder of an activation store, to check it alone.")
    ] = None,
) -> None:
    """Check the outputs of all stages against dvc.lock, in the working tree and in the DVC cache.

    The status is 1 if there is a problem. Stored activations are compared with their index too.
    """
    from leitmotif.pipeline import ACTIVATIONS
    from leitmotif.store.reading import verify as verify_store

    problems: list[str] = []
    whole, rest = f"{root or 'all outputs'}", ""
    hashed = "every file hashed" if full else "sizes compared; --full hashes every file"
    if root is None and Path("dvc.lock").exists():
        from leitmotif.share.remote.workspace import check_workspace

        checked = check_workspace(full=full)
        problems += map(str, checked.deviations)
        for path in checked.absent:
            typer.echo(f"{path} is not here: {how_to_restore()}")
        if checked.absent:
            gone = len(checked.absent)
            whole = "what is here"
            rest = f"; {gone} of {checked.outs} outputs {'is' if gone == 1 else 'are'} not here"
        typer.echo(f"{counted(checked.outs, 'output')}, {counted(checked.files, 'file')}: {hashed}")
    store = root or ACTIVATIONS
    if root or store.exists() or not Path("dvc.lock").exists():
        problems += [f"{store}/{problem}" for problem in verify_store(store, full=full)]
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        typer.echo(
            f"{counted(len(problems), 'problem')}: delete damaged files, those of the cache too; "
            f"`dvc checkout` takes what is sound from the cache; otherwise {how_to_restore()}",
            err=True,
        )
        raise typer.Exit(1)
    typer.echo(f"{whole}: no problem found{rest}")


def report(
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("report"),
    replace: Replace = False,
) -> None:
    """Write the listening report of the current outputs.

    Open index.html in the folder.
    """
    from leitmotif.cli.status import print_next
    from leitmotif.config import load_params
    from leitmotif.files.targets import check_folder
    from leitmotif.report.build import write_report
    from leitmotif.share.lockfile import check_unchanged
    from leitmotif.stages.report import read_reported

    check_folder(out, replace=replace)
    params = load_params()
    with _explaining_what_is_missing():
        reported = read_reported(params)
    check_unchanged(reported.hashes)
    counts = write_report(out, reported, params.report, replace=replace)
    typer.echo(
        f"{counted(counts.pairs, 'pair')} of {counted(counts.clips, 'clip')}, "
        f"{counts.bytes / 1e6:.1f} MB: "
        f"open {out / 'index.html'} in a browser"
    )
    _say_whose_results()
    print_next()


@contextmanager
def _explaining_what_is_missing() -> Iterator[None]:
    """Let an output that cannot be read say which stages have to run, and what is next.

    Where people have to decide first, the stage that makes the output would only stop. Where stages
    ran with other settings, the file belongs to their results, such as the shipped ones, and is not
    named. If all stages are done, the error is left as it is.
    """
    from leitmotif.status.overview import read_status

    try:
        yield
    except LeitmotifError as error:
        now = read_status()
        waiting = [
            f"{state}: {', '.join(names)}"
            for state in ("outdated", "not here", "not run")
            if (names := [name for name in now.in_state(state) if name != "report"])
        ]
        if not waiting:
            raise
        of_others = now.in_state("outdated")
        what = "what is here is of other settings than params.yaml has" if of_others else error.what
        details = [] if error.found is None or of_others else [str(error.found)]
        raise LeitmotifError(
            f"the report cannot be made yet: {what}",
            found="; ".join([*details, *waiting]),
            expected="all stages done",
            fix=str(now.next),
        ) from error


def _say_whose_results() -> None:
    """The preset, and stages whose results belong to other settings than params.yaml has."""
    from leitmotif.cli.presets import preset_in_use
    from leitmotif.share.lockfile import outdated_stages

    typer.echo(f"params.yaml: {preset_in_use() or 'of no preset that is here'}")
    if outdated := outdated_stages():
        typer.echo(
            f"these pages show results of other settings than params.yaml has, of the stages "
            f"{', '.join(sorted(outdated))}: `dvc repro` makes them anew",
            err=True,
        )


def results() -> None:
    """Print the results of the last run in 40 lines.

    The last lines say what to open and what to run next.
    """
    import sys

    from leitmotif.cli.results import as_lines, read_results

    lines = as_lines(read_results())
    if sys.stdout is None or not sys.stdout.isatty():
        typer.echo("\n".join(lines))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console()
    for line in lines:
        heading = not line.startswith(" ")
        text = Text(line, "bold") if heading else console.render_str(line, markup=False)
        console.print(text, soft_wrap=True)


def replay(
    line: Annotated[int, typer.Argument(min=1, help="Line number in the log, from 1.")],
    log: Annotated[Path, typer.Option(help="Log of interventions.")] = Path(
        "data/interventions.jsonl"
    ),
) -> None:
    """Make a logged clip again and compare it.

    The status is 1 if the tokens differ from the log.
    """
    from leitmotif.causal.replay import ReplayFiles
    from leitmotif.causal.replay import replay as replay_clip
    from leitmotif.config import load_params
    from leitmotif.pipeline import ACTIVATIONS, CORPUS, MANIFEST
    from leitmotif.tables.interventions import read_log

    rows = read_log(log)
    if line > len(rows):
        raise LeitmotifError(f"{log} has no line {line}", expected=f"1 to {len(rows)}")
    row = rows[line - 1]
    replayed = replay_clip(row, load_params(), ReplayFiles(CORPUS, MANIFEST, ACTIVATIONS))
    typer.echo(
        f"clip {row.clip_id}: {row.condition} of {row.track_id}, seed {row.seed}: tokens "
        f"{'equal' if replayed.same_tokens else 'differ'}, audio "
        f"{'equal' if replayed.same_audio else 'differs'}"
    )
    if not replayed.same_tokens:
        raise typer.Exit(1)
