"""The experiment's models, each read under interchange interventions by lead time and site."""

from functools import partial
from pathlib import Path

from leitmotif.causal.experiment.events import balanced, composed_events
from leitmotif.causal.experiment.twins import shared_twins
from leitmotif.causal.interchange.exchange import Interchange, windows_of
from leitmotif.claims import Claims
from leitmotif.config import OrganismCorpus, Params
from leitmotif.musicgen.loading import shared_model
from leitmotif.store.cache.codes import CachedCodec
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.interchange import InterchangeRow


def exchange_residuals(
    params: Params,
    corpus: OrganismCorpus,
    name: str,
    *,
    tracks: list[ManifestTrack],
    audio_root: Path,
    cache: Path,
) -> list[InterchangeRow]:
    """Exchange residuals in one model's events, and say what it then expects.

    Parameters
    ----------
    params : all settings.
    corpus : the composed corpus, whose score says what is decided and when.
    name : folder or hub id of the model: the one under study, or one that it is compared with.
    tracks : manifest rows of readable tracks.
    audio_root : folder to which the tracks' paths are relative.
    cache : folder of the work cache.

    Raises ModelError, AudioError, CorpusError, and ProbeError for events of fewer than two tracks.
    """
    model_params = params.model.beside(name)
    model = shared_model(model_params)
    twins = shared_twins(audio_root, Path(corpus.path), cache)
    chosen = balanced(tracks, twins.decisions, params.interchange.tracks)
    events = composed_events(model, chosen, audio_root, twins, codec=CachedCodec(model, cache))
    claims = Claims.of(params.probes)
    windows = windows_of(
        events,
        model.frame_rate,
        every=params.interchange.lead_seconds,
        claimed=[horizon.after for horizon in claims.far],
    )
    interchange = Interchange(
        load=partial(shared_model, model_params),
        sites=params.activations.sites,
        windows=windows,
        controlled=[window for window in windows if window.name == "ahead"],
        rows=params.interchange.rows,
    )
    return interchange.run(events).rows(Path(name).name, list(interchange.exchanges()))
