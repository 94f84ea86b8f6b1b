"""Rehearse the pipeline, print what each stage takes, and keep it."""

import argparse
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from benchmarks._report import RESULTS, machine
from benchmarks.pipeline import Cost
from benchmarks.rehearsal import __doc__ as what
from benchmarks.rehearsal.run import rehearse
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
    arguments = parser.parse_args()
    with TemporaryDirectory(prefix="leitmotif-rehearsal-") as temporary:
        folder = (arguments.folder or Path(temporary)).resolve()
        costs = rehearse(folder, SHAPES[arguments.shapes], arguments.set, stages=arguments.stages)
    show(arguments.shapes, costs)
    if not arguments.stages and not arguments.set:
        keep(arguments.shapes, costs)


def show(shapes: str, costs: dict[str, Cost]) -> None:
    """Print a table."""
    table = Table("stage", "seconds", "CPU seconds", "peak MB", title=f"rehearsal, {shapes} shapes")
    for name, cost in costs.items():
        numbers = (cost.seconds, cost.cpu_seconds, cost.megabytes)
        table.add_row(name, *(f"{number:,.0f}" for number in numbers))
    Console(width=int(os.environ.get("COLUMNS", "100"))).print(table)


def keep(shapes: str, costs: dict[str, Cost]) -> None:
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
        }
        for name, cost in costs.items()
    }
    write_json(RESULT, {**kept, shapes: {"machine": machine(), "stages": rows}})


if __name__ == "__main__":
    main()
