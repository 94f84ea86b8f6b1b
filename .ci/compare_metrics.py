"""Compare the metrics of a run with the committed ones; status 1 if they differ beyond tolerance.

    python .ci/compare_metrics.py COMMITTED PRODUCED

Both are folders of JSON files. A key's name is its file and its path inside, dotted:
``manifest.excluded.voice``.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from ruamel.yaml import YAML

TOLERANCES = Path(__file__).with_name("tolerances.yaml")
ABSENT = object()


@dataclass(frozen=True)
class Tolerance:
    """How far a number may lie from the committed one; equal values always pass."""

    relative: float = 0.0
    absolute: float = 0.0

    def allows(self, committed: Any, produced: Any) -> bool:
        """Whether ``produced`` passes for ``committed``."""
        if _is_number(committed) and _is_number(produced):
            limit = max(self.absolute, self.relative * abs(committed))
            return bool(abs(produced - committed) <= limit)
        return type(committed) is type(produced) and bool(committed == produced)

    def __str__(self) -> str:
        """The rule as the table shows it."""
        if self.relative:
            return f"± {100 * self.relative:g} %"
        return f"± {self.absolute:g}" if self.absolute else "equal"


EXACT = Tolerance()


@dataclass(frozen=True)
class Difference:
    """A key whose value is not the committed one."""

    key: str
    committed: Any
    produced: Any
    tolerance: Tolerance

    @property
    def passes(self) -> bool:
        """Whether the difference is within the tolerance."""
        return self.tolerance.allows(self.committed, self.produced)


def compare(
    committed: Mapping[str, Any],
    produced: Mapping[str, Any],
    tolerances: Mapping[str, Tolerance],
) -> list[Difference]:
    """Differences between two flat sets of metrics, the missing and the new keys included.

    Raises ValueError for a tolerance that no key matches: it was written for a metric that is gone,
    or misspelt.
    """
    keys = sorted(committed.keys() | produced.keys())
    idle = [name for name in tolerances if not any(fnmatchcase(key, name) for key in keys)]
    if idle:
        raise ValueError(f"tolerances for keys that no metric has: {', '.join(idle)}")
    differences = []
    for key in keys:
        before, after = committed.get(key, ABSENT), produced.get(key, ABSENT)
        rule = next((t for name, t in tolerances.items() if fnmatchcase(key, name)), EXACT)
        if not EXACT.allows(before, after):
            differences.append(Difference(key, before, after, rule))
    return differences


def read_metrics(folder: Path) -> dict[str, Any]:
    """Every value in the JSON files of ``folder``, by its dotted key.

    Raises ValueError if there are none: comparing nothing would pass.
    """
    metrics: dict[str, Any] = {}
    for path in sorted(folder.glob("*.json")):
        metrics.update(_flatten(path.stem, json.loads(path.read_text(encoding="utf-8"))))
    if not metrics:
        raise ValueError(f"no metrics in {folder}")
    return metrics


def read_tolerances(path: Path = TOLERANCES) -> dict[str, Tolerance]:
    """The tolerance of each key in a YAML file."""
    values = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    return {key: Tolerance(**rule) for key, rule in values.items()}


def _flatten(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict | list) and value:
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        for name, below in inner:
            yield from _flatten(f"{key}.{name}", below)
    else:
        yield key, value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _show(value: object) -> str:
    return "absent" if value is ABSENT else json.dumps(value)


def _table(differences: list[Difference]) -> Table:
    table = Table("", "metric", "committed", "produced", "difference", "allowed")
    for difference in differences:
        before, after = difference.committed, difference.produced
        change = f"{after - before:+.6g}" if _is_number(before) and _is_number(after) else ""
        verdict = "ok" if difference.passes else "FAIL"
        rule = str(difference.tolerance)
        table.add_row(verdict, difference.key, _show(before), _show(after), change, rule)
    return table


def main() -> None:
    """Compare, print what differs, and end with status 1 if any of it is beyond tolerance."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("committed", type=Path)
    parser.add_argument("produced", type=Path)
    parser.add_argument("--tolerances", type=Path, default=TOLERANCES)
    arguments = parser.parse_args()

    committed = read_metrics(arguments.committed)
    produced = read_metrics(arguments.produced)
    differences = compare(committed, produced, read_tolerances(arguments.tolerances))
    if differences:
        Console(width=120).print(_table(differences))
    failed = [difference.key for difference in differences if not difference.passes]
    print(f"{len(committed)} metrics committed, {len(differences)} differ, {len(failed)} too far")
    if failed:
        sys.exit(
            "The metrics are not the committed ones. If the change is meant, run `make repro` and "
            "commit metrics/ and dvc.lock; if it is noise, say how much in .ci/tolerances.yaml."
        )


if __name__ == "__main__":
    main()
