"""Stage ``interventions``: continue pieces while one thing is changed, and hear what changes."""

from leitmotif.causal.experiment.candidates import FeatureCandidates
from leitmotif.causal.experiment.log import write_log
from leitmotif.causal.tried import FeaturesTried, judged, sites_tried
from leitmotif.config import Params
from leitmotif.feasibility.settled import as_metrics
from leitmotif.files import atomic, atomic_folder, read_table, write_json, write_table
from leitmotif.pipeline import (
    ACTIVATIONS,
    CANDIDATES,
    CLIPS,
    EFFECTS,
    INTERCHANGE,
    INTERVENTIONS,
    METRICS,
    OPENINGS,
    PROBES,
    SAE,
    VERDICTS,
)
from leitmotif.sae.autoencoder.used import load_used
from leitmotif.stages.plots import write_plots
from leitmotif.stages.settled import with_lengths
from leitmotif.stages.studies import study_of
from leitmotif.stages.tracks import tracks_with_activations
from leitmotif.store.reading.reader import ActivationStore
from leitmotif.tables.candidates import CandidateRow
from leitmotif.tables.effects import EffectRow, VerdictRow
from leitmotif.tables.interchange import InterchangeRow
from leitmotif.tables.interventions import InterventionRow
from leitmotif.tables.openings import OpenedRecording
from leitmotif.tables.probes import ProbeRow
from leitmotif.views.interventions import metrics_of, opened_of, plot_of


def interventions(params: Params) -> None:
    """Write the log, data/clips, the tables of effects, verdicts and openings, metrics and plot."""
    params = with_lengths(params, tracks_with_activations())
    probed = read_table(PROBES, ProbeRow)
    ranked = read_table(CANDIDATES, CandidateRow)
    exchanged = read_table(INTERCHANGE, InterchangeRow)
    used = load_used(params.sae.hooks, dtype=params.model.dtype_beside, device=params.model.device)
    makes = FeatureCandidates(
        ActivationStore(ACTIVATIONS), used, SAE, seed=params.interventions.seed
    )
    effects: list[EffectRow] = []
    verdicts: list[VerdictRow] = []
    rows: list[InterventionRow] = []
    opened: list[OpenedRecording] = []
    # Log and clips are complete under temporary names before either takes its place.
    with atomic(INTERVENTIONS) as log, atomic_folder(CLIPS) as clips:
        for name in dict.fromkeys((params.model.name, *params.probes.comparisons)):
            study = study_of(params, name)
            opened += study.pieces.openings
            tried = sites_tried(params.activations.sites, study.model.width, study.pieces)
            if name == params.model.name:
                features = FeaturesTried(makes, params.interventions, study.claims)
                tried += features(ranked, study.pieces)
            heard, findings = judged(study, tried, probed, exchanged)
            effects += heard.effects(findings)
            verdicts += heard.verdicts(findings)
            rows += heard.log(clips)
        write_log(log, rows, clips=clips)
    write_table(EFFECTS, effects)
    write_table(VERDICTS, verdicts)
    write_table(OPENINGS, opened)
    metrics = metrics_of(effects, verdicts, rows) | opened_of(opened)
    metrics |= as_metrics(params, "interventions")
    write_json(METRICS / "interventions.json", metrics)
    write_plots({"interventions": plot_of(effects, verdicts)})
