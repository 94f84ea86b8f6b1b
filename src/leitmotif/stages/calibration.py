"""Stage ``calibration``: how often the probes' tests are wrong where the truth is known."""

from threadpoolctl import threadpool_limits

from leitmotif.claims import Claims
from leitmotif.config import Params
from leitmotif.files import write_json, write_table
from leitmotif.pipeline import ACTIVATIONS, CALIBRATION, CONTROLS, CORPUS, METRICS, WORK_CACHE
from leitmotif.probe.calibration.study import calibrate_experiment
from leitmotif.probe.inputs.registry import load_controls
from leitmotif.stages.plots import write_plots
from leitmotif.stages.rows import gather_rows
from leitmotif.stages.settled import with_folds
from leitmotif.stages.tracks import tracks_with_activations
from leitmotif.store.reading.reader import ActivationStore
from leitmotif.views.calibration import metrics_of, plot_of


# Thousands of small products: two threads that wait for each other take five times as long.
@threadpool_limits.wrap(limits=1, user_api="blas")
def calibration(params: Params) -> None:
    """Write data/calibration.jsonl, metrics/calibration.json and plots/calibration.csv."""
    tracks, controls = tracks_with_activations(), load_controls(CONTROLS)
    params = with_folds(params, tracks)
    calibrated = calibrate_experiment(
        params,
        gather_rows(params.probes, tracks, controls),
        tracks,
        controls,
        ActivationStore(ACTIVATIONS),
        audio_root=CORPUS,
        cache=WORK_CACHE,
    )
    claimed = Claims.of(params.probes).claimed
    rows = calibrated.rows(horizon=claimed.name, site=params.calibration.site)
    write_table(CALIBRATION, rows)
    write_json(METRICS / "calibration.json", metrics_of(rows))
    write_plots({"calibration": plot_of(calibrated)})
