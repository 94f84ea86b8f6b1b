"""Which heads of the organisms carry the decision, and by way of the gap or not.

    python -m benchmarks.heads          # after `make repro`, whose corpus it reads

Edges from the cue through every head are patched (``leitmotif.causal.interchange.heads``) in the
pieces that the stage ``interchange`` reads. The planner was trained to carry the decision in its
residual stream; the reader looks back; the blind model cannot know it. ``k`` is the number of heads
that recover nine tenths of the total effect together, on tracks that had no say in their order;
null where eight do not, or where the model does not know the event. Where it is not null it is
copied into metrics/validity.json, with the interchange intervention accuracy of the same models.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

from benchmarks._report import RESULTS, machine, record
from leitmotif.causal.experiment.events import balanced, composed_events
from leitmotif.causal.experiment.twins import shared_twins
from leitmotif.causal.interchange.heads import HeadPaths
from leitmotif.config import load_params
from leitmotif.files import read_json, write_json
from leitmotif.musicgen.loading import shared_model
from leitmotif.pipeline import CORPUS, WORK_CACHE
from leitmotif.stages.tracks import tracks_with_activations
from leitmotif.store.cache.codes import CachedCodec
from leitmotif.tables.heads import HeadRow, Receiver

MODELS = ("planner", "reader", "blind")
ENOUGH = 0.9
INTERCHANGE = Path("metrics/interchange.json")


def main() -> None:
    """Patch, print, and write benchmarks/results/heads.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=16)
    tracks = parser.parse_args().tracks
    rows = [row for name in MODELS for row in patched(name, tracks)]
    write_json(
        RESULTS / "heads.json",
        {"machine": machine(), "rows": [row.model_dump(mode="json") for row in rows]},
    )
    carried = carrying(rows)
    record("heads", carried)
    iia = read_json(INTERCHANGE)["iia"]
    record("iia", {name: iia[name]["mean"] for name in MODELS})
    print(carried)


def patched(name: str, tracks: int) -> list[HeadRow]:
    """The rows of one organism."""
    params = load_params()
    of_model = params.model.beside(f"models/organism/{name}")
    model, twins = shared_model(of_model), shared_twins(CORPUS, Path(params.corpus.path))
    chosen = balanced(tracks_with_activations(), twins.decisions, tracks)
    codec = CachedCodec(model, WORK_CACHE)
    events = composed_events(model, chosen, CORPUS, twins, codec=codec)
    return HeadPaths(partial(shared_model, of_model), params.interchange.rows).run(name, events)


def carrying(rows: Sequence[HeadRow]) -> dict[str, dict[str, Any]]:
    """By model and receiver, ``enough`` of those in which some heads recover enough."""
    of_each = {
        name: {
            receiver: enough([r for r in rows if (r.model, r.receiver) == (name, receiver)])
            for receiver in get_args(Receiver)
        }
        for name in MODELS
    }
    return {
        name: {receiver: found for receiver, found in of_name.items() if found["k"] is not None}
        for name, of_name in of_each.items()
    }


def enough(rows: Sequence[HeadRow]) -> dict[str, Any]:
    """The fewest heads that recover enough together, or what the most of them do."""
    together = [row for row in rows if row.measured_apart]
    first = next((row for row in together if (row.share or 0.0) >= ENOUGH), None)
    shown = first or together[-1]
    return {
        "k": None if first is None else len(first.heads),
        "recovered": shown.share,
    }


if __name__ == "__main__":
    main()
