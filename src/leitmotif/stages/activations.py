"""Stage ``activations``: let the model read each track and keep its states at the chosen sites."""

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from leitmotif.config import Params
from leitmotif.corpus.tables import Failure, ManifestTrack
from leitmotif.errors import StageError
from leitmotif.files import atomic_folder, read_table, write_json, write_table, write_text
from leitmotif.musicgen import HookedMusicGen
from leitmotif.progress import progress
from leitmotif.stages import (
    ACTIVATIONS,
    CORPUS,
    FAILURES,
    MANIFEST,
    METRICS,
    PLOTS,
    WORK_CACHE,
    run,
)
from leitmotif.stages.failures import failed, limit_failures
from leitmotif.store import ActivationStore
from leitmotif.store.build import StoreBuilder
from leitmotif.store.cache import WorkCache
from leitmotif.store.index import FAILURES as FAILED_HERE
from leitmotif.store.index import IndexRow
from leitmotif.store.profile import context_profile


def activations(params: Params) -> None:
    """Write data/activations, metrics/activations.json and plots/activations.csv."""
    excluded = {failure.track_id for failure in read_table(FAILURES, Failure)}
    tracks = [row for row in read_table(MANIFEST, ManifestTrack) if row.track_id not in excluded]
    if not tracks:
        raise StageError("no track is left to read", found=f"{len(excluded)} in {FAILURES}")
    model = HookedMusicGen.from_pretrained(
        params.model.name,
        revision=params.model.revision,
        device=params.model.device,
        dtype=params.model.dtype,
        text_padding=params.model.text_padding,
    )
    builder = StoreBuilder(
        model,
        params=params.activations,
        model_params=params.model,
        audio_root=CORPUS,
        cache=WorkCache(WORK_CACHE / "activations"),
    )
    with atomic_folder(ACTIVATIONS) as folder:
        result = builder.build(folder, progress(tracks, "activations", total=len(tracks)))
        failures = [failed(track, error) for track, error in result.failures]
        write_table(folder / FAILED_HERE, failures)
        limit_failures("activations", failures, params.activations.max_failures, of=len(tracks))
    write_json(METRICS / "activations.json", metrics_of(result.rows, failures))
    levels = pd.DataFrame(map(asdict, context_profile(ActivationStore(ACTIVATIONS))))
    write_text(PLOTS / "activations.csv", levels.to_csv(index=False, float_format="%.4g"))


def metrics_of(rows: Sequence[IndexRow], failures: Sequence[Failure]) -> dict[str, object]:
    """How much there is; the store's index has each file's size."""
    return {"tensors": len(rows), "failures": len(failures)}


if __name__ == "__main__":
    run(activations)
