"""``leitmotif bench``: a method scored on organisms whose truth is planted."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leitmotif.cli.options import Replace
from leitmotif.errors import LeitmotifError, counted

if TYPE_CHECKING:
    from leitmotif.tables.bench import BenchScore, BenchVerdict
    from leitmotif.tables.interval import IntervalRow


def bench(
    method: Annotated[
        str,
        typer.Argument(
            help="interchange, patching, probe, das, pca, sae, or package.module:function."
        ),
    ],
    models: Annotated[
        list[str] | None,
        typer.Option(help="A kind of model, or one model, such as inert.0; may be repeated."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File of verdicts to write; bench/METHOD.jsonl by default.")
    ] = None,
    pieces: Annotated[
        int, typer.Option(min=4, help="Pieces that the method is given; a multiple of 4.")
    ] = 32,
    replace: Replace = False,
) -> None:
    """Score a method on the models of models/zoo.

    The verdicts are written before the truth about the models is read.
    """
    from leitmotif.bench.scoring import score_of
    from leitmotif.bench.study import Bench
    from leitmotif.bench.zoo import CODEC, ZOO, Zoo
    from leitmotif.corpus.organism.world import load_world
    from leitmotif.files import write_table
    from leitmotif.files.targets import check_file
    from leitmotif.pipeline import WORK_CACHE
    from leitmotif.work.progress import progress

    target = out or Path("bench") / f"{method.replace(':', '.')}.jsonl"
    check_file(target, inputs=[ZOO, CODEC], made=_has_verdicts, replace=replace)
    zoo = Zoo()
    chosen = zoo.chosen(models or [])
    world = load_world(CODEC.parent / "world.json")
    examined = Bench(zoo, world, WORK_CACHE, pieces).verdicts(method, chosen)
    verdicts = list(progress(examined, method, total=len(chosen)))
    # Again: what came meanwhile stays.
    check_file(target, inputs=[ZOO, CODEC], made=_has_verdicts, replace=replace)
    write_table(target, verdicts)
    for line in lines_of(verdicts, score_of(verdicts, zoo.truths())):
        typer.echo(line)
    typer.echo(f"verdicts in {target}")


def lines_of(verdicts: "list[BenchVerdict]", score: "BenchScore") -> list[str]:
    """The verdicts and the score as text."""
    wrong = {*score.missed, *score.false}
    lines = [f"{'model':<16}{'verdict':<14}{'lead, s':<10}"]
    for row in sorted(verdicts, key=lambda row: row.model):
        lead = "-" if row.lead_seconds is None else f"{row.lead_seconds:g}"
        said = "foresight" if row.foresight else "none"
        lines.append(f"{row.model:<16}{said:<14}{lead:<10}{'wrong' if row.model in wrong else ''}")
    return [
        *(line.rstrip() for line in lines),
        "",
        f"sensitivity  {_shown(score.sensitivity)}",
        f"specificity  {_shown(score.specificity)}",
        f"AUROC of sites and leads  {_shown(score.auroc)}",
        f"error of the lead, s  {_shown(score.lead_error)}",
        f"seconds a model  {score.seconds:g}",
    ]


def _has_verdicts(path: Path) -> bool:
    from leitmotif.files import read_table
    from leitmotif.tables.bench import BenchVerdict

    try:
        read_table(path, BenchVerdict)
    except LeitmotifError:
        return False
    return True


def _shown(row: "IntervalRow | None") -> str:
    if row is None:
        return "-"
    return f"{row.mean:.2f} ({row.low:.2f} to {row.high:.2f}), {counted(row.n or 0, 'model')}"
