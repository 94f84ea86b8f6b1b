"""All built-in methods scored on the models of models/zoo.

    python -m benchmarks.bench                     # all of them, about ten minutes a method
    python -m benchmarks.bench interchange --keep  # one, and no model again that has a verdict

Verdicts go to benchmarks/results/bench/METHOD.jsonl, a row for each method to
benchmarks/results/bench.json, and the numbers of this project's method to ``zoo`` in
metrics/validity.json. A verdict is kept if it is of the same weights and the method's code is the
same: the files of ``leitmotif.bench`` that it imports, and that compose the pieces. The order of
the models, what the methods are told, and that all verdicts of a method are written before the
truth is read, are those of `leitmotif bench`. Seconds are of one core, and depend on what else the
machine does.
"""

import argparse
from collections.abc import Iterable
from typing import Any

from benchmarks._report import RESULTS, machine, record
from leitmotif.bench.method import BUILT_IN
from leitmotif.bench.scoring import score_of
from leitmotif.bench.study import Bench
from leitmotif.bench.zoo import CODEC, Zoo
from leitmotif.corpus.organism.world import load_world
from leitmotif.files import read_json, read_table, sha256_file, sha256_json, write_json, write_table
from leitmotif.files.imports import PACKAGE, import_closure
from leitmotif.pipeline import WORK_CACHE
from leitmotif.tables.bench import BenchScore, BenchVerdict
from leitmotif.tables.interval import as_metric
from leitmotif.work.progress import progress

OURS = "interchange"
RESULT = RESULTS / "bench.json"
VERDICTS = RESULTS / "bench"
ROOM = PACKAGE / "bench"


def code_of(method: str) -> str:
    """SHA-256 of the files of the bench that decide a method's verdicts.

    What they import from other rooms has tests of its numbers, and does not count.
    """
    closure = import_closure(BUILT_IN[method].partition(":")[0], "leitmotif.bench.pieces")
    files = [path for path in closure if ROOM in path.parents]
    return sha256_json({path.relative_to(ROOM).as_posix(): sha256_file(path) for path in files})


def verdicts_of(method: str, bench: Bench, *, keep: bool) -> list[BenchVerdict]:
    """Verdicts on all models; with ``keep``, those that were written for the same weights stay."""
    path = VERDICTS / f"{method}.jsonl"
    current = {bench.zoo.weights(model): model for model in bench.zoo.names}
    known = read_table(path, BenchVerdict) if keep and path.exists() else []
    rows = [row for row in known if current.get(row.weights) == row.model]
    left = [model for model in current.values() if model not in {row.model for row in rows}]
    if left:
        rows += progress(bench.verdicts(method, left), method, total=len(left))
    rows.sort(key=lambda row: row.model)
    write_table(path, rows)
    return rows


def score_metrics(score: BenchScore) -> dict[str, Any]:
    """The numbers of a method that a reviewer reads."""
    return {
        "models": score.models,
        "sensitivity": as_metric(score.sensitivity),
        "specificity": as_metric(score.specificity),
    }


def table_of(rows: Iterable[BenchScore]) -> str:
    """The scores as the table of docs/bench.md and README.md."""
    lines = [
        "| method | models with foresight, without | sensitivity | specificity |"
        " AUROC of sites and leads | error of the lead, s | seconds a model | wrong about |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        there, not_there = (0 if it is None else it.n for it in (row.sensitivity, row.specificity))
        cells = [
            "-" if it is None else f"{it.mean:.2f} ({it.low:.2f} to {it.high:.2f})"
            for it in (row.sensitivity, row.specificity, row.auroc, row.lead_error)
        ]
        wrong = ", ".join([*row.missed, *row.false]) or "none"
        lines.append(
            f"| `{row.method}` | {there}, {not_there} | {' | '.join(cells)} | {row.seconds:.0f} "
            f"| {wrong} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the methods that are named, or all of them."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("methods", nargs="*", metavar="METHOD", help=", ".join(BUILT_IN))
    parser.add_argument("--keep", action="store_true", help="keep verdicts that are there")
    given = parser.parse_args()
    if unknown := {*given.methods} - BUILT_IN.keys():
        parser.error(f"no method {', '.join(sorted(unknown))}")
    bench = Bench(Zoo(), load_world(CODEC.parent / "world.json"), WORK_CACHE)
    known = read_json(RESULT) if RESULT.exists() else {"rows": [], "code": {}}
    rows, codes = {row["method"]: row for row in known["rows"]}, known["code"]
    for method in given.methods or BUILT_IN:
        code = code_of(method)
        verdicts = verdicts_of(method, bench, keep=given.keep and codes.get(method) == code)
        score = score_of(verdicts, bench.zoo.truths())
        rows[method], codes[method] = score.model_dump(mode="json"), code
        ordered = [rows[name] for name in BUILT_IN if name in rows]
        write_json(RESULT, {"machine": machine(), "rows": ordered, "code": codes})
        if method == OURS:
            record("zoo", score_metrics(score))
        print(f"{method}: missed {score.missed}, false {score.false}", flush=True)
    print(table_of(BenchScore.model_validate(row) for row in rows.values()))


if __name__ == "__main__":
    main()
