"""The experiment's models, each read under interchange interventions by lead time and site."""

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from leitmotif.causal.experiment.events import Event, balanced, composed_events
from leitmotif.causal.experiment.recorded import recorded_events
from leitmotif.causal.experiment.resampled import OpenedPrefix
from leitmotif.causal.experiment.twins import shared_twins
from leitmotif.causal.interchange.exchange import Interchange, windows_of
from leitmotif.claims import LEAST_EACH_WAY, Claims
from leitmotif.config import OrganismCorpus, Params
from leitmotif.errors import counted
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
    model = shared_model(params.model.beside(name))
    twins = shared_twins(audio_root, Path(corpus.path), cache)
    chosen = balanced(tracks, twins.decisions, params.interchange.tracks)
    events = composed_events(model, chosen, audio_root, twins, codec=CachedCodec(model, cache))
    interchange = _interchange(params, name, events)
    return interchange.run(events).rows(Path(name).name, list(interchange.exchanges()))


def exchange_in_trials(
    params: Params, name: str, opened: Mapping[str, Sequence[OpenedPrefix]]
) -> list[InterchangeRow]:
    """The same in the trials of a model's own openings of recordings.

    No rows, and a notice, where the recordings whose openings differ are too few for an exchange as
    far ahead as a claim needs to count, whatever it does (``claims``, rule 8). Raises ModelError.
    """
    events = recorded_events(shared_model(params.model.beside(name)), opened)
    interchange = _interchange(params, name, [own for own, _ in events])
    claims = Claims.of(params.probes)
    far = sum(claims.may_carry(window.after or 0.0) for window in interchange.controlled)
    needed = claims.pieces_needed(tried=far * len(interchange.sites))
    kinds = [{own.track_id for own, _ in events if own.returns == has} for has in (False, True)]
    gaining, losing = map(len, kinds)
    if len(kinds[0] | kinds[1]) < needed or min(gaining, losing) < LEAST_EACH_WAY:
        print(
            f"{Path(name).name}: of {counted(len(opened), 'recording')} the motif can be lost in "
            f"{losing} and gained in {gaining}, so no exchange of residuals can count: {needed} "
            f"are needed, and {LEAST_EACH_WAY} of each. Verdicts rest on continuations alone",
            file=sys.stderr,
        )
        return []
    exchanged = interchange.run_endings(events)
    return exchanged.rows(Path(name).name, list(interchange.exchanges()))


def _interchange(params: Params, name: str, events: Sequence[Event]) -> Interchange:
    model_params = params.model.beside(name)
    windows = windows_of(
        events,
        shared_model(model_params).frame_rate,
        every=params.interchange.lead_seconds,
        claimed=[horizon.after for horizon in Claims.of(params.probes).far],
    )
    return Interchange(
        load=partial(shared_model, model_params),
        sites=params.activations.sites,
        windows=windows,
        controlled=[window for window in windows if window.name == "ahead"],
        rows=params.interchange.rows,
    )
