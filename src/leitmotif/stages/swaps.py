"""Stage ``swaps``: give one component the output that it has for another concept, and listen."""

from functools import partial

from leitmotif.config import Params
from leitmotif.files import atomic_folder, write_json, write_table
from leitmotif.judge.models.loading import second_tagger_of, shared_tagger
from leitmotif.lens.memory import swaps_holding
from leitmotif.lens.playing import Playing
from leitmotif.lens.swaps import Swaps
from leitmotif.lens.sweep import sweep_of
from leitmotif.musicgen.loading import shared_model
from leitmotif.musicgen.memory import Footprint, batches_on
from leitmotif.pipeline import METRICS, SWAP_CLIPS, SWAP_SUMMARY, SWAPS, WORK_CACHE
from leitmotif.stages.plots import write_plots
from leitmotif.views.swaps import metrics_of, plot_of


def swaps(params: Params) -> None:
    """Write two tables, data/swap_clips with clips, metrics/swaps.json and plots/swaps.csv."""
    settings = params.swaps
    model = params.model.beside(params.decoderlens.model or params.model.name)
    loaded = shared_model(model)
    sweep = sweep_of(params, layers=loaded.num_layers, frame_rate=loaded.frame_rate)
    holding = swaps_holding(params, Footprint.of(loaded), sweep)
    batches = batches_on(loaded, params, "swaps", holding)
    heard = Swaps(
        load=partial(shared_model, model),
        load_tagger=partial(shared_tagger, params.judge, model.dtype_beside),
        sweep=sweep,
        playing=Playing.of(params.decoderlens, settings.seconds),
        rows=batches.rows,
        workers=batches.workers,
        kept=params.decoderlens.kept_prompts,
        load_second=second_tagger_of(params.judge, model.dtype_beside),
        cache=WORK_CACHE / "lens",
    ).run()
    rows, summary = heard.rows(), heard.summary_rows()
    with atomic_folder(SWAP_CLIPS) as folder:
        heard.write_clips(folder)
    write_table(SWAPS, rows)
    write_table(SWAP_SUMMARY, summary)
    write_json(METRICS / "swaps.json", metrics_of(rows, summary))
    write_plots({"swaps": plot_of(summary)})
