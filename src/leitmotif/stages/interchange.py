"""Stage ``interchange``: exchange residuals by lead time and site, in pieces that are read."""

from leitmotif.causal.interchange.study import exchange_in_trials, exchange_residuals
from leitmotif.claims import Claims
from leitmotif.config import OrganismCorpus, Params
from leitmotif.files import write_json, write_table
from leitmotif.pipeline import CORPUS, INTERCHANGE, METRICS, WORK_CACHE
from leitmotif.stages.plots import write_plots
from leitmotif.stages.settled import with_lengths
from leitmotif.stages.studies import study_of
from leitmotif.stages.tracks import readable_tracks, tracks_with_activations
from leitmotif.tables.interchange import InterchangeRow
from leitmotif.views.interchange import metrics_of, plot_of


def interchange(params: Params) -> None:
    """Write data/interchange.jsonl, metrics/interchange.json and plots/interchange.csv."""
    rows: list[InterchangeRow] = []
    names = dict.fromkeys((params.model.name, *params.probes.comparisons))
    if isinstance(params.corpus, OrganismCorpus):
        for name in names:
            rows += exchange_residuals(
                params,
                params.corpus,
                name,
                tracks=readable_tracks(),
                audio_root=CORPUS,
                cache=WORK_CACHE,
            )
    else:
        params = with_lengths(params, tracks_with_activations())
        for name in names:
            rows += exchange_in_trials(params, name, study_of(params, name).opened)
    write_table(INTERCHANGE, rows)
    write_json(METRICS / "interchange.json", metrics_of(rows, Claims.of(params.probes)))
    write_plots({"interchange": plot_of(rows)})
