#!/usr/bin/env python3
"""Write the table of docs/what-it-takes.md that follows from settings and sizes alone.

    python scripts/plans.py            # writes the table
    python scripts/plans.py --check    # writes nothing; status 1 if the table is old

It is what ``leitmotif plan --no-measure`` says of the presets of MusicGen, with the memory of their
``resources`` whatever this machine has. Hours on a processor are measured, and stand elsewhere.
"""

from pathlib import Path

from page_table import write_or_check

from leitmotif.cli.preset_texts import preset
from leitmotif.config import Params, parse_params
from leitmotif.files.yaml_files import parse_yaml
from leitmotif.plan.disk import downloads, folders
from leitmotif.plan.hours import CLASSES
from leitmotif.plan.memory import memory_of, within
from leitmotif.plan.people import decisions
from leitmotif.plan.plan import on_gpu
from leitmotif.plan.scale import Scale
from leitmotif.plan.text import duration, size
from leitmotif.plan.work import work_of
from leitmotif.work.budget import GB, Budget

PAGE = Path("docs/what-it-takes.md")
MODELS = ("musicgen-small", "musicgen-medium", "musicgen-large")
STAGES = ("activations", "interchange", "interventions", "decoderlens", "swaps")
PROCESSORS = 2
FIRST, LAST = "<!-- computed by scripts/plans.py -->", "<!-- end of what is computed -->"


def table() -> list[str]:
    """Lines of the table: a row for each thing, a column for each model."""
    params = [parse_params(parse_yaml(preset(name))) for name in MODELS]
    scales = [Scale(settings) for settings in params]
    rows = {
        "download": [size(sum(i.bytes or 0 for i in downloads(scale))) for scale in scales],
        "disk": [size(sum(i.bytes or 0 for i in folders(scale))) for scale in scales],
        "decisions by hand, at most": [f"{decisions(scale):,}" for scale in scales],
    }
    for stage in STAGES:
        rows[f"{PROCESSORS} processors: `{stage}`"] = [
            _host(settings, stage) for settings in params
        ]
    for gpu_class in CLASSES:
        needs = [on_gpu(settings, gpu_class) for settings in params]
        for stage in STAGES:
            rows[f"{gpu_class.name}: `{stage}`"] = [
                f"{size(gpu.memory[stage])}, {duration(gpu.seconds[stage])}"
                if gpu.fits[stage]
                else "no room"
                for gpu in needs
            ]
    return [
        f"| | {' | '.join(MODELS)} |",
        "|---" * (1 + len(MODELS)) + "|",
        *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()),
    ]


def _host(params: Params, stage: str) -> str:
    """Memory of a stage on a CPU, and a mark where it is more than may be used."""
    budget = Budget(round(params.resources.memory_gb * GB), 0)
    fitted = within(Scale(params), budget, device="cpu", processors=PROCESSORS)
    needed = memory_of(
        fitted.scale,
        work_of(fitted.scale),
        device="cpu",
        processes=PROCESSORS,
        workers=fitted.workers,
    )[stage].host
    return size(needed) if needed <= budget.host else f"{size(needed)}: no room"


if __name__ == "__main__":
    write_or_check(PAGE, table, first=FIRST, last=LAST, purpose=__doc__)
