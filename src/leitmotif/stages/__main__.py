"""Run a stage: ``python -m leitmotif.stages NAME``, as dvc.yaml does, in the repository's root.

What the stage imports, the processes that share its work import at the same time.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from leitmotif.work.engine import number_of_workers
from leitmotif.work.processes import import_ahead

_MUSICGEN = "transformers.models.musicgen.modeling_musicgen"
_CLAP = "transformers.models.clap.modeling_clap"
SHARED = {
    "corpus": (),
    "features": ("librosa.onset",),
    "proposals": (),
    "activations": (_MUSICGEN,),
    "sae": (_MUSICGEN,),
    "probes": (_MUSICGEN,),
    "calibration": (_MUSICGEN,),
    "interchange": (_MUSICGEN,),
    "interventions": (_MUSICGEN, _CLAP),
    "summary": (_MUSICGEN, _CLAP),
    "decoderlens": (_MUSICGEN,),
    "swaps": (_MUSICGEN,),
}
"""Stages whose work several processes share, and what these import late, when they need it."""


def main(arguments: Sequence[str]) -> None:
    """Run the stage that is named; an expected error ends the program in a line."""
    name = arguments[0] if len(arguments) == 1 else ""
    module = f"leitmotif.stages.{name}"
    if not name.isidentifier() or find_spec(module) is None:
        raise SystemExit(
            f"stages: there is no stage {' '.join(arguments)!r}\n  to do:    name one of "
            "dvc.yaml, as in `python -m leitmotif.stages corpus`"
        )
    if name in SHARED and number_of_workers() > 1:
        import_ahead([module, *SHARED[name]])
    from leitmotif.pipeline import run  # here, as it takes a third of a second

    run(name, lambda: getattr(importlib.import_module(module), name))


if __name__ == "__main__":
    main(sys.argv[1:])
