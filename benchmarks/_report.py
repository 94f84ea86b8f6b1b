"""What benchmarks write: benchmarks/results/NAME.json, the same rows as a table, and metrics.

metrics/validity.json has the few numbers of several benchmarks that say how methods score where the
truth is known.
"""

import os
import platform
from pathlib import Path
from typing import Any, Literal, TypedDict

import torch
from rich.console import Console
from rich.table import Table

from leitmotif.files import read_json, write_json
from leitmotif.files.provenance import processor

RESULTS = Path(__file__).parent / "results"
VALIDITY = RESULTS.parents[1] / "metrics" / "validity.json"


class Row(TypedDict):
    """One comparison, measured on both sides in one run."""

    case: str
    ours: float
    peer: float
    peer_name: str
    unit: str
    ratio: float


def row(
    case: str,
    ours: float,
    peer: float,
    *,
    peer_name: str,
    unit: str,
    better: Literal["higher", "lower"],
) -> Row:
    """Make a row whose ratio is above 1 when ours is better than the peer."""
    ratio = ours / peer if better == "higher" else peer / ours
    values = {key: float(f"{value:.4g}") for key, value in [("ours", ours), ("peer", peer)]}
    return Row(
        case=case,
        ours=values["ours"],
        peer=values["peer"],
        peer_name=peer_name,
        unit=unit,
        ratio=round(ratio, 3),
    )


def record(measure: str, value: Any) -> None:
    """Enter a measure into metrics/validity.json; the others stay as they are."""
    known = read_json(VALIDITY) if VALIDITY.exists() else {}
    write_json(VALIDITY, {**known, measure: value})


def report(name: str, rows: list[Row]) -> None:
    """Print the rows and write benchmarks/results/NAME.json with a description of the machine."""
    write_json(RESULTS / f"{name}.json", {"machine": machine(), "rows": rows})
    table = Table("case", "ours", "peer", "unit", "peer is", "ratio", title=name)
    for entry in rows:
        table.add_row(
            entry["case"],
            f"{entry['ours']:g}",
            f"{entry['peer']:g}",
            entry["unit"],
            entry["peer_name"],
            f"{entry['ratio']:.2f}",
        )
    Console(width=160).print(table)


def machine() -> dict[str, str | int]:
    """Describe the hardware and versions that the numbers depend on."""
    return {
        "cpu": processor(),
        "cores": os.cpu_count() or 1,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__.split("+")[0],
        "torch_threads": torch.get_num_threads(),
    }
