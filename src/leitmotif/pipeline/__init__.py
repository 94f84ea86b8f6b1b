"""The pipeline around the stages: where their outputs lie, and how a stage is run.

The paths below are the whole contract between stages.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from leitmotif.config import Params, load_params
from leitmotif.errors import LeitmotifError, unusable
from leitmotif.files import explained_full_disk
from leitmotif.pipeline.durations import announced
from leitmotif.pipeline.one_run import only_run
from leitmotif.pipeline.own_code import check_code
from leitmotif.pipeline.steady import steady_inputs
from leitmotif.pipeline.watched import check_inputs, check_outs, check_watched
from leitmotif.work.engine import working_on

CORPUS = Path("data/corpus")
CORPUS_FAILURES = CORPUS / "failures.jsonl"
MANIFEST = Path("data/manifest.jsonl")
EXCLUDED = Path("data/excluded.jsonl")
FEATURES = Path("data/features")
FAILURES = Path("data/failures.jsonl")
ACTIVATIONS = Path("data/activations")
PROPOSALS = Path("data/proposals.jsonl")
LABELS = Path("data/labels.jsonl")
COVERAGE = Path("data/coverage.jsonl")
SAE = Path("data/sae")
ALIGNMENT = Path("data/alignment.jsonl")
CONTROLS = Path("controls.yaml")
PROBES = Path("data/probes.jsonl")
HORIZONS = Path("data/horizons.jsonl")
CANDIDATES = Path("data/candidates.jsonl")
CALIBRATION = Path("data/calibration.jsonl")
INTERCHANGE = Path("data/interchange.jsonl")
DECODERLENS = Path("data/decoderlens.jsonl")
LENS_DIVERGENCE = Path("data/lens_divergence.jsonl")
LAYER_SIMILARITY = Path("data/layer_similarity.jsonl")
LENS = Path("data/lens")
SWAPS = Path("data/swaps.jsonl")
SWAP_SUMMARY = Path("data/swap_summary.jsonl")
SWAP_CLIPS = Path("data/swap_clips")
INTERVENTIONS = Path("data/interventions.jsonl")
CLIPS = Path("data/clips")
EFFECTS = Path("data/effects.jsonl")
VERDICTS = Path("data/verdicts.jsonl")
OPENINGS = Path("data/openings.jsonl")
APPROACHES = Path("data/approaches.jsonl")
REPORT = Path("data/report")
METRICS = Path("metrics")
PLOTS = Path("plots")
WORK_CACHE = Path(".leitmotif")
"""Downloads and finished pieces of work, addressed by content; DVC never deletes it."""


_INTERRUPTED = 130
"""The status that a shell gives a command that Ctrl-C ended."""


def run(name: str, load: Callable[[], Callable[[Params], None]]) -> None:
    """Run one stage with this folder's params; an expected error or Ctrl-C ends it in a line.

    It says first how long it may take (``leitmotif.pipeline.durations``). ``load`` gives the stage;
    it is called once all is known to be in order, for to import what a stage needs takes seconds.
    """
    full_disk = explained_full_disk(Path.cwd() / METRICS, "not all outputs were written")
    try:
        with full_disk, only_run(name), steady_inputs(name):
            check_code()
            params = load_params()
            check_watched(params)
            check_inputs(params)
            check_outs(name)
            with announced(name, params), working_on(params.execution, WORK_CACHE / "calls"):
                load()(params)
    except LeitmotifError as error:
        print(f"{name}: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except OSError as error:
        explained = unusable(error)
        if explained is None:
            raise
        print(f"{name}: {explained}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:  # Ctrl-C is no fault of the code that was running
        print(
            f"{name}: interrupted, and none of its outputs counts; `dvc repro` runs it again",
            file=sys.stderr,
        )
        raise SystemExit(_INTERRUPTED) from None
