"""The calibration on an experiment's own rows: nulls made from its controls, models and sites."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from leitmotif.claims import Claims
from leitmotif.config import Params
from leitmotif.probe.calibration.generators import (
    WITHOUT_FORESIGHT,
    Generator,
    NullIngredients,
    direction_of,
    scaled,
)
from leitmotif.probe.calibration.rates import Calibration, calibrate
from leitmotif.probe.compared.models import compared_models
from leitmotif.probe.estimators.experiment import expanded, varying
from leitmotif.probe.inputs.registry import ControlSettings
from leitmotif.probe.inputs.rows import Rows
from leitmotif.store.reading.reader import ActivationStore
from leitmotif.tables.corpus import ManifestTrack


def calibrate_experiment(
    params: Params,
    rows: Rows,
    tracks: Sequence[ManifestTrack],
    controls: ControlSettings,
    store: ActivationStore,
    *,
    audio_root: Path,
    cache: Path,
) -> Calibration:
    """Test features of known truth at the claimed horizon, as the probes test the model's own.

    Parameters
    ----------
    params : all settings; ``calibration`` says how many targets and features, and of which site.
    rows : rows of the experiment, with their targets and controls.
    tracks : manifest rows of readable tracks.
    controls : which controls there are, and how they are bent.
    store : activations of the model under study.
    audio_root : folder to which the tracks' paths are relative.
    cache : folder of the work cache.

    Besides generators that know no model, every compared model gives features: a direction of its
    activations, which was never trained to foresee or has other weights.
    """
    probes, settings, claims = params.probes, params.calibration, Claims.of(params.probes)
    sample = rows.sample(claims.horizons, claims.horizons.index(claims.claimed))
    own = rows.features(store, settings.site)[sample.inside]
    source = NullIngredients(
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
        audio_root=audio_root,
        cache=cache,
        random_weights=probes.random_weights,
        seed=probes.seed,
    ) as stores:
        for name, theirs in stores.items():
            features = varying(rows.features(theirs, settings.site)[sample.inside])[0]
            generators[name] = partial(direction_of, features=scaled(features))
    return calibrate(
        source,
        expanded(sample, controls),
        targets=settings.targets,
        each=settings.each,
        strengths=settings.strengths,
        alpha=probes.alpha,
        folds=probes.folds,
        permutations=settings.permutations,
        generators=generators,
        seed=settings.seed,
    )
