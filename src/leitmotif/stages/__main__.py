"""Run a stage: ``python -m leitmotif.stages NAME``, as dvc.yaml does, in the repository's root.

What the stage imports, the processes that share its work import at the same time.
"""

import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from leitmotif.errors import ConfigError
from leitmotif.work.engine import number_of_workers
from leitmotif.work.processes import import_ahead

if TYPE_CHECKING:
    from leitmotif.config import Params

_MUSICGEN = "transformers.models.musicgen.modeling_musicgen"
_CLAP = "transformers.models.clap.modeling_clap"
STAGES: Mapping[str, Sequence[str] | None] = {
    "recordings": None,
    "corpus": (),
    "manifest": None,
    "features": ("librosa.onset",),
    "proposals": (),
    "labels": None,
    "activations": (_MUSICGEN,),
    "sae": (_MUSICGEN,),
    "probes": (_MUSICGEN,),
    "calibration": (_MUSICGEN,),
    "interchange": (_MUSICGEN,),
    "interventions": (_MUSICGEN, _CLAP),
    "summary": (_MUSICGEN, _CLAP),
    "decoderlens": (_MUSICGEN,),
    "swaps": (_MUSICGEN,),
    "report": None,
}
"""What processes that share a stage's work import late, when they need it; None: it is not shared.
"""


def main(arguments: Sequence[str]) -> None:
    """Run the stage that is named; an expected error ends the program in a line."""
    name = arguments[0] if len(arguments) == 1 else ""
    if name not in STAGES:
        raise SystemExit(
            f"stages: there is no stage {' '.join(arguments)!r}\n"
            f"  expected: {', '.join(STAGES)}\n"
            "  to do:    name one, as in `python -m leitmotif.stages corpus`"
        )
    module, late = f"leitmotif.stages.{name}", STAGES[name]
    if late is not None and _is_shared():
        import_ahead([module, *late])
    from leitmotif.pipeline import run  # here, as it takes a third of a second

    def stage(params: "Params") -> None:
        from leitmotif.feasibility.named import check_named

        check_named(params)  # before the first stage, which may be long, and not in the late one
        if name == "interchange":
            from leitmotif.feasibility.judge import check_judge

            check_judge(params)
        getattr(importlib.import_module(module), name)(params)

    try:
        run(name, lambda: stage)
    finally:
        if name == "labels":
            _say_what_is_next()


def _say_what_is_next() -> None:
    """End the stage with the next command where people decide, whether their decisions suffice."""
    from leitmotif.status.overview import read_status

    now = read_status()
    params = now.material.params
    if params is not None and params.labels.source == "decisions":
        print(f"labels: {now.next_line}", flush=True)


def _is_shared() -> bool:
    try:
        return number_of_workers() > 1
    except ConfigError:
        return False  # the stage says so when it needs the number


if __name__ == "__main__":
    main(sys.argv[1:])
