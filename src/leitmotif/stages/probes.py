"""Stage ``probes``: what each model's features say of recurrences to come, beyond the controls."""

from threadpoolctl import threadpool_limits

from leitmotif.config import Params
from leitmotif.feasibility.settled import as_metrics
from leitmotif.files import write_json, write_table
from leitmotif.pipeline import (
    ACTIVATIONS,
    CANDIDATES,
    CONTROLS,
    CORPUS,
    HORIZONS,
    METRICS,
    PROBES,
    SAE,
    WORK_CACHE,
)
from leitmotif.probe.inputs.registry import load_controls
from leitmotif.probe.study.probing import ProbeStudy
from leitmotif.sae.autoencoder.used import load_used
from leitmotif.stages.plots import write_plots
from leitmotif.stages.rows import gather_rows
from leitmotif.stages.settled import with_folds
from leitmotif.stages.tracks import tracks_with_activations
from leitmotif.store.reading.reader import ActivationStore
from leitmotif.views.probes import metrics_of, plots_of


# Thousands of small products: two threads that wait for each other take five times as long.
@threadpool_limits.wrap(limits=1, user_api="blas")
def probes(params: Params) -> None:
    """Write data/probes, horizons and candidates.jsonl, metrics/probes.json and the plots."""
    tracks, controls = tracks_with_activations(), load_controls(CONTROLS)
    params = with_folds(params, tracks)
    rows = gather_rows(params.probes, tracks, controls)
    study = ProbeStudy(
        params=params,
        rows=rows,
        tracks=[track for track in tracks if track.track_id in set(rows.groups.tolist())],
        controls=controls,
        used=load_used(
            params.sae.hooks, dtype=params.model.dtype_beside, device=params.model.device
        ),
        store=ActivationStore(ACTIVATIONS),
        encoded=SAE,
        audio_root=CORPUS,
        cache=WORK_CACHE,
    )
    probed = study.run()
    write_table(PROBES, probed.probes)
    write_table(HORIZONS, probed.horizons)
    write_table(CANDIDATES, probed.candidates)
    metrics = metrics_of(probed.probes, probed.horizons, study.claims)
    write_json(METRICS / "probes.json", {**metrics, **as_metrics(params, "probes")})
    write_plots(plots_of(probed.probes, probed.horizons, probed.tested, study.claims))
