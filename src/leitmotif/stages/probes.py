"""Stage ``probes``: what each model's features say of recurrences to come, beyond the controls."""

from threadpoolctl import threadpool_limits

from leitmotif.config import Params
from leitmotif.files import write_json, write_table
from leitmotif.probe.registry import load_controls
from leitmotif.probe.study import ProbeStudy
from leitmotif.sae.used import load_used
from leitmotif.stages import (
    ACTIVATIONS,
    CANDIDATES,
    CONTROLS,
    CORPUS,
    HORIZONS,
    METRICS,
    PROBES,
    SAE,
    WORK_CACHE,
    run,
)
from leitmotif.stages.plots import write_plots
from leitmotif.stages.rows import gather_rows
from leitmotif.stages.tracks import tracks_with_activations
from leitmotif.store.reader import ActivationStore
from leitmotif.views.probes import metrics_of, plots_of


# Thousands of small products: two threads that wait for each other take five times as long.
@threadpool_limits.wrap(limits=1, user_api="blas")
def probes(params: Params) -> None:
    """Write data/probes, horizons and candidates.jsonl, metrics/probes.json and the plots."""
    tracks, controls = tracks_with_activations(), load_controls(CONTROLS)
    rows = gather_rows(params.probes, tracks, controls)
    study = ProbeStudy(
        params=params,
        rows=rows,
        tracks=[track for track in tracks if track.track_id in set(rows.groups.tolist())],
        controls=controls,
        used=load_used(params.sae.hooks, dtype=params.model.dtype_beside),
        store=ActivationStore(ACTIVATIONS),
        encoded=SAE,
        audio_root=CORPUS,
        cache=WORK_CACHE,
    )
    found = study.run()
    write_table(PROBES, found.probes)
    write_table(HORIZONS, found.horizons)
    write_table(CANDIDATES, found.candidates)
    write_json(METRICS / "probes.json", metrics_of(found.probes, found.horizons, study.claims))
    write_plots(plots_of(found.probes, found.horizons, found.tested, study.claims))


if __name__ == "__main__":
    run(probes)
