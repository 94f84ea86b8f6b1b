"""Stage ``calibration``: how often the probes' tests are wrong where the truth is known."""

from collections.abc import Sequence
from functools import partial

import pandas as pd
from threadpoolctl import threadpool_limits

from leitmotif.config import Params
from leitmotif.files import write_json, write_table, write_text
from leitmotif.probe.calibration import Calibration, calibrate
from leitmotif.probe.experiment import expanded, varying
from leitmotif.probe.generators import WITHOUT_FORESIGHT, Generator, Source, direction_of, scaled
from leitmotif.probe.models import compared_models
from leitmotif.probe.registry import load_controls
from leitmotif.stages import (
    ACTIVATIONS,
    CALIBRATION,
    CONTROLS,
    CORPUS,
    METRICS,
    PLOTS,
    WORK_CACHE,
    run,
)
from leitmotif.stages.rows import claimed_horizon, gather_rows, horizons_of
from leitmotif.stages.tracks import readable_tracks
from leitmotif.store.reader import ActivationStore
from leitmotif.tables.calibration import CalibrationRow, of_kind
from leitmotif.tables.interval import as_metric


# Thousands of small products: two threads that wait for each other take five times as long.
@threadpool_limits.wrap(limits=1, user_api="blas")
def calibration(params: Params) -> None:
    """Write data/calibration.jsonl, metrics/calibration.json and plots/calibration.csv."""
    probes, settings = params.probes, params.calibration
    horizons, horizon = horizons_of(probes), claimed_horizon(probes)
    tracks = readable_tracks()
    controls = load_controls(CONTROLS)
    rows = gather_rows(probes, tracks, controls)
    sample = rows.sample(horizons, horizons.index(horizon))
    own = rows.features(ActivationStore(ACTIVATIONS), settings.site)[sample.inside]
    source = Source(
        features=varying(own)[0],
        controls=varying(sample.controls)[0],
        target=sample.y,
        tracks=sample.tracks,
    )
    generators: dict[str, Generator] = dict(WITHOUT_FORESIGHT)
    with compared_models(
        probes.comparisons,
        model=params.model,
        activations=params.activations.model_copy(update={"sites": [settings.site]}),
        tracks=[track for track in tracks if track.track_id in set(rows.groups.tolist())],
        audio_root=CORPUS,
        cache=WORK_CACHE,
        random_weights=probes.random_weights,
        seed=probes.seed,
    ) as stores:
        for name, store in stores.items():
            theirs = varying(rows.features(store, settings.site)[sample.inside])[0]
            generators[name] = partial(direction_of, features=scaled(theirs))
    found = calibrate(
        source,
        expanded(sample, controls),
        each=settings.each,
        strengths=settings.strengths,
        alpha=probes.alpha,
        folds=probes.folds,
        permutations=settings.permutations,
        generators=generators,
        seed=settings.seed,
    )
    table = found.rows(horizon=horizon.name, site=settings.site)
    write_table(CALIBRATION, table)
    write_json(METRICS / "calibration.json", metrics_of(table))
    write_text(PLOTS / "calibration.csv", _curves(found).to_csv(index=False))


def metrics_of(rows: Sequence[CalibrationRow]) -> dict[str, object]:
    """Both tests' false-positive rates over all null features, and the controlled one's power."""
    (nulls,) = of_kind(rows, "all")
    return {
        "fpr_naive": as_metric(nulls.naive),
        "fpr_controlled": as_metric(nulls.controlled),
        "power": {
            f"{row.strength:g}": as_metric(row.controlled) for row in of_kind(rows, "planted")
        },
    }


def _curves(found: Calibration) -> pd.DataFrame:
    """How many features are called significant at each level: both tests, and the planted ones."""
    levels = [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]
    names = {name: name for name in ("nominal", "naive", "controlled")}
    names |= {str(strength): f"planted {strength:g}" for strength in sorted(found.power)}
    return pd.DataFrame(
        [
            {"test": name, "level": level, "share": round(found.share(test, level), 4)}
            for test, name in names.items()
            for level in levels
        ]
    )


if __name__ == "__main__":
    run(calibration)
