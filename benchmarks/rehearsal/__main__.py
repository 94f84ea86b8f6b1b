"""Rehearse the pipeline, print what each stage takes, and keep it."""

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from benchmarks._report import RESULTS, machine
from benchmarks.rehearsal import __doc__ as what
from benchmarks.rehearsal.run import StageCost, rehearse
from benchmarks.rehearsal.shapes import SHAPES
from leitmotif.errors import LeitmotifError
from leitmotif.files import read_json, write_json

RESULT = RESULTS / "rehearsal.json"


def main() -> None:
    """Rehearse, and write benchmarks/results/rehearsal.json if every stage ran."""
    parser = argparse.ArgumentParser(description=(what or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--shapes", choices=SHAPES, default="published", help="(%(default)s)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--folder", type=Path, help="kept, and gone on with (a temporary one)")
    parser.add_argument("--stages", nargs="+", default=[], metavar="STAGE", help="only these")
    parser.add_argument(
        "--without-dvc", action="store_true", help="run the stages' commands; needs no git either"
    )
    arguments = parser.parse_args()
    costs: dict[str, StageCost] = {}
    with TemporaryDirectory(prefix="leitmotif-rehearsal-") as temporary:
        folder = (arguments.folder or Path(temporary)).resolve()
        rehearsed = rehearse(
            folder,
            SHAPES[arguments.shapes],
            arguments.set,
            stages=arguments.stages,
            with_dvc=not arguments.without_dvc,
        )
        try:
            for name, taken in rehearsed:
                costs[name] = taken
        finally:  # what has run is shown, however it ends
            show(arguments.shapes, costs)
    if not arguments.stages:
        keep(arguments.shapes, costs, settings=arguments.set, with_dvc=not arguments.without_dvc)


def show(shapes: str, costs: Mapping[str, StageCost]) -> None:
    """Print a table."""
    columns = ("stage", "seconds", "CPU seconds", "peak MB", "GPU's peak MB")
    table = Table(*columns, title=f"rehearsal, {shapes} shapes")
    for name, cost in costs.items():
        numbers = (cost.seconds, cost.cpu_seconds, cost.megabytes, cost.gpu_megabytes)
        table.add_row(name, *(f"{number:,.0f}" for number in numbers))
    Console(width=int(os.environ.get("COLUMNS", "100"))).print(table)


def keep(
    shapes: str, costs: Mapping[str, StageCost], *, settings: Sequence[str], with_dvc: bool
) -> None:
    """Put the costs of these shapes into the result, beside those of other shapes."""
    try:
        kept = read_json(RESULT)
    except LeitmotifError:  # none yet
        kept = {}
    rows = {
        name: {
            "seconds": round(cost.seconds, 1),
            "cpu_seconds": round(cost.cpu_seconds, 1),
            "megabytes": round(cost.megabytes),
            "gpu_megabytes": round(cost.gpu_megabytes),
        }
        for name, cost in costs.items()
    }
    run = {"machine": machine(), "settings": list(settings), "dvc": with_dvc, "stages": rows}
    write_json(RESULT, {**kept, shapes: run})


if __name__ == "__main__":
    main()
