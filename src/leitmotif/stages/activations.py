"""Stage ``activations``: let the model read each track and keep its states at the chosen sites."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

import pandas as pd

from leitmotif.config import Params
from leitmotif.errors import StageError
from leitmotif.files import atomic_folder, write_json, write_table, write_text
from leitmotif.musicgen.loading import shared_model
from leitmotif.pipeline import (
    ACTIVATIONS,
    CORPUS,
    FAILURES,
    METRICS,
    PLOTS,
    WORK_CACHE,
)
from leitmotif.stages.failures import failed, limit_failures
from leitmotif.stages.tracks import readable_tracks
from leitmotif.store.profile import context_profile
from leitmotif.store.reading import ActivationStore
from leitmotif.store.reading.index import FAILURES as FAILED_HERE
from leitmotif.store.reading.index import StoreRow, write_index
from leitmotif.store.writing.parts import StoreReading, built
from leitmotif.tables.corpus import Failure


def activations(params: Params) -> None:
    """Write data/activations, metrics/activations.json and plots/activations.csv."""
    tracks = readable_tracks()
    if not tracks:
        raise StageError("no track is left to read", found=f"all are in {FAILURES}")
    reading = StoreReading(
        partial(shared_model, params.model),
        params.model,
        params.activations,
        audio_root=CORPUS,
        cache=WORK_CACHE,
    )
    rows: list[StoreRow] = []
    failures: list[Failure] = []
    with atomic_folder(ACTIVATIONS) as folder:
        for part in built(reading, folder, tracks, shown="activations"):
            rows += part.rows
            failures += [failed(track, error) for track, error in part.failures]
        write_index(folder, rows)
        write_table(folder / FAILED_HERE, failures)
        limit_failures("activations", failures, params.activations.max_failures, of=len(tracks))
    write_json(METRICS / "activations.json", metrics_of(rows, failures))
    levels = pd.DataFrame(map(asdict, context_profile(ActivationStore(ACTIVATIONS))))
    write_text(PLOTS / "activations.csv", levels.to_csv(index=False, float_format="%.4g"))


def metrics_of(rows: Sequence[StoreRow], failures: Sequence[Failure]) -> dict[str, object]:
    """How much there is; the store's index has each file's size."""
    return {"tensors": sum(len(row.stored) for row in rows), "failures": len(failures)}
