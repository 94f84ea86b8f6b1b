#!/usr/bin/env python3
"""Write what docs/what-it-takes.md has of plans that follow from settings and sizes alone.

    python scripts/plans.py            # writes the table, and the listing of a plan
    python scripts/plans.py --check    # writes nothing; status 1 if one of them is old

It is what ``leitmotif plan --no-measure`` says of the presets of MusicGen, with the memory of their
``resources`` whatever this machine has. Hours on a processor are measured, and stand elsewhere.
"""

import os
import tempfile
from pathlib import Path

from page_table import write_or_check

from leitmotif.cli.preset_texts import preset
from leitmotif.config import Params, parse_params
from leitmotif.files.yaml_files import parse_yaml
from leitmotif.plan.disk import downloads, folders
from leitmotif.plan.hours import CLASSES
from leitmotif.plan.memory import memory_of, within
from leitmotif.plan.people import decisions
from leitmotif.plan.plan import make_plan, on_gpu
from leitmotif.plan.scale import Scale
from leitmotif.plan.text import as_lines, duration, size
from leitmotif.plan.work import work_of
from leitmotif.work import WORKERS
from leitmotif.work.budget import GB, Budget

PAGE = Path("docs/what-it-takes.md")
MODELS = ("musicgen-small", "musicgen-medium", "musicgen-large")
STAGES = ("activations", "interchange", "interventions", "decoderlens", "swaps")
PROCESSORS = 2
LISTED = "musicgen-small"
FIRST_OF_LISTING = "<!-- printed by scripts/plans.py -->"
LAST_OF_LISTING = "<!-- end of what is printed -->"
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


def listing() -> list[str]:
    """What the command prints of a preset on two processors, without what it measures."""
    os.environ[WORKERS] = str(PROCESSORS)
    params = parse_params(parse_yaml(preset(LISTED)))
    with tempfile.TemporaryDirectory() as nothing_has_run:
        plan = make_plan(
            params, device="cpu", measure=False, root=Path(nothing_has_run), budget=_budget(params)
        )
    return ["```text", *as_lines(plan), "```"]


def _budget(params: Params) -> Budget:
    return Budget(
        round(params.resources.memory_gb * GB), round(params.resources.gpu_memory_gb * GB)
    )


def _host(params: Params, stage: str) -> str:
    """Memory of a stage on a CPU, and a mark where it is more than may be used."""
    budget = _budget(params)
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
    write_or_check(
        PAGE,
        table,
        (FIRST_OF_LISTING, LAST_OF_LISTING, listing),
        first=FIRST,
        last=LAST,
        purpose=__doc__,
    )
