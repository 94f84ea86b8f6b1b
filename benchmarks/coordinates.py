"""How few coordinates of a site carry the decision, by where the coordinates come from.

    python -m benchmarks.coordinates        # after `make repro`, whose corpus it reads

Residuals after the first block, at the lead of the claim, in the planner, and in three models that
carry nothing there: the reader, the blind model, and the planner with its weights shuffled. In the
planner the coordinates should do what the whole site does. In the others directions that were
trained to move the event must not move it on tracks that they were not trained on; only those are
tried there. Coordinates are chosen on half of the tracks
(``leitmotif.causal.interchange.faithfulness``). The autoencoders are trained here, on residuals of
that half: one in the usual way, one whose decoder stays as it was drawn, and one that is not
trained.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks._report import RESULTS, machine
from leitmotif.causal.experiment.events import Event, balanced, composed_events
from leitmotif.causal.experiment.twins import shared_twins
from leitmotif.causal.interchange.coordinates import EventSample
from leitmotif.causal.interchange.faithfulness import Curve, halves, kinds_ranked_on
from leitmotif.causal.interchange.reader import EventReader, StepWindow
from leitmotif.claims import Claims
from leitmotif.config import load_params
from leitmotif.files import read_json, write_json
from leitmotif.musicgen.loading import shared_model
from leitmotif.musicgen.protocol import MusicModel
from leitmotif.pipeline import CORPUS, WORK_CACHE
from leitmotif.probe.compared.baseline import shuffle_weights
from leitmotif.sae.autoencoder.model import SparseAutoencoder
from leitmotif.sae.autoencoder.trained import Training
from leitmotif.sae.training.held import FrozenDecoder, trained_on
from leitmotif.stages.tracks import tracks_with_activations
from leitmotif.store.cache.codes import CachedCodec
from leitmotif.tables.coordinates import AreaRow, CoordinateRow, Featuriser

MODELS, RANDOM = ("planner", "reader", "blind"), "random weights"
SITE = "layers.0.residual"
COUNTS, NULL_COUNTS = (1, 2, 4, 8, 16, 32, 64), (1, 8)
"""Of coordinates: in the planner, and where nothing is carried."""
SAE = Training(d_sae=1024, k=16, steps=600, batch=1024, warm_up=50)
RESULT = RESULTS / "coordinates.json"


def main() -> None:
    """Exchange, print, and write benchmarks/results/coordinates.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", help="by default all; rows of the others stay")
    parser.add_argument("--tracks", type=int, default=16)
    given = parser.parse_args()
    names = given.models or [*MODELS, RANDOM]
    known = read_json(RESULT) if RESULT.exists() else {"rows": [], "areas": []}
    kept = [[row for row in known[part] if row["model"] not in names] for part in ("rows", "areas")]
    rows = [CoordinateRow.model_validate(row) for row in kept[0]]
    areas = [AreaRow.model_validate(row) for row in kept[1]]
    for name in names:
        for of_kind, area in curves_of(name, given.tracks):
            rows += of_kind
            areas += [] if area is None else [area]
            print(
                name,
                of_kind[0].featuriser,
                [(row.k, row.share and row.share.mean, row.nats.mean) for row in of_kind],
                None if area is None else area.area.mean,
                flush=True,
            )
    write_json(
        RESULT,
        {
            "machine": machine(),
            "rows": [row.model_dump(mode="json") for row in rows],
            "areas": [row.model_dump(mode="json") for row in areas],
        },
    )


def curves_of(name: str, count: int) -> Iterator[tuple[list[CoordinateRow], AreaRow | None]]:
    """The curves of one organism, kind by kind."""
    params = load_params()
    folder = "planner" if name == RANDOM else name
    model = shared_model(params.model.beside(f"models/organism/{folder}"))
    events = events_of(model, count)
    if name == RANDOM:
        model = shuffle_weights(model, seed=params.probes.seed)
    reader = EventReader(model, events, [SITE])
    fitted, measured = halves([event.track_id for event in events])
    window = StepWindow("ahead", Claims.of(params.probes).claimed.after)
    sample = EventSample(reader, SITE, window, fitted)
    is_null = name != MODELS[0]
    kinds = kinds_ranked_on(sample, {} if is_null else autoencoders_of(sample))
    for kind, found in kinds.items():
        if kind == "das" or not is_null:
            counts = NULL_COUNTS if is_null else COUNTS
            yield Curve(
                name, kind, EventSample(reader, SITE, window, measured), found, counts
            ).rows()


def events_of(model: MusicModel, count: int) -> list[Event]:
    """Events of tracks whose decisions balance, encoded by a model's codec."""
    params = load_params()
    twins = shared_twins(CORPUS, Path(params.corpus.path))
    chosen = balanced(tracks_with_activations(), twins.decisions, count)
    return composed_events(model, chosen, CORPUS, twins, codec=CachedCodec(model, WORK_CACHE))


def autoencoders_of(sample: EventSample) -> dict[Featuriser, SparseAutoencoder]:
    """Three autoencoders of one size for a sample's residuals, at all steps."""
    reads = (sample.reader.own, *sample.reader.donors.values())
    held = torch.cat([read.at[sample.site][sample.rows].flatten(0, 1) for read in reads]).float()
    autoencoders: dict[Featuriser, SparseAutoencoder] = {
        "trained": trained_on(held, SAE),
        "frozen decoder": trained_on(held, SAE, trainer=FrozenDecoder),
        "random": trained_on(held, SAE.model_copy(update={"steps": 0})),
    }
    return {kind: sae.to(sample.own.dtype) for kind, sae in autoencoders.items()}


if __name__ == "__main__":
    main()
