"""Stage ``summary``: four ways to look for foresight, by the same code with one setting changed."""

from leitmotif.causal.approaches.study import ApproachStudy
from leitmotif.config import Params
from leitmotif.files import write_json, write_table
from leitmotif.pipeline import ACTIVATIONS, APPROACHES, CONTROLS, METRICS, SAE
from leitmotif.probe.inputs.registry import load_controls
from leitmotif.sae.autoencoder.used import load_used
from leitmotif.stages.plots import write_plots
from leitmotif.stages.rows import gather_rows
from leitmotif.stages.settled import with_folds, with_lengths
from leitmotif.stages.studies import study_of
from leitmotif.stages.tracks import tracks_with_activations
from leitmotif.store.reading.reader import ActivationStore
from leitmotif.views.summary import metrics_of, plot_of


def summary(params: Params) -> None:
    """Write data/approaches.jsonl, metrics/summary.json and plots/summary.csv."""
    tracks, controls = tracks_with_activations(), load_controls(CONTROLS)
    params = with_lengths(with_folds(params, tracks), tracks)
    approaches = ApproachStudy(
        params=params,
        rows=gather_rows(params.probes, tracks, controls),
        controls=controls,
        used=load_used(
            params.sae.hooks, dtype=params.model.dtype_beside, device=params.model.device
        ),
        store=ActivationStore(ACTIVATIONS),
        encoded=SAE,
    )
    rows = approaches.run(study_of(params, params.model.name))
    write_table(APPROACHES, rows)
    write_json(METRICS / "summary.json", metrics_of(rows))
    write_plots({"summary": plot_of(rows)})
