"""Stage ``decoderlens``: hear what each layer of a model would play, concept by concept."""

from functools import partial
from pathlib import Path

from leitmotif.config import Params
from leitmotif.files import atomic_folder, write_json, write_table
from leitmotif.judge.models.loading import second_tagger_of, shared_tagger
from leitmotif.lens.concepts import load_concepts
from leitmotif.lens.memory import lens_holding
from leitmotif.lens.playing import Playing
from leitmotif.lens.study import DecoderLens
from leitmotif.lens.tuned import Tuning
from leitmotif.musicgen.loading import shared_model
from leitmotif.musicgen.memory import Footprint, batches_on
from leitmotif.pipeline import (
    DECODERLENS,
    LAYER_SIMILARITY,
    LENS,
    LENS_DIVERGENCE,
    METRICS,
    WORK_CACHE,
)
from leitmotif.stages.plots import write_plots
from leitmotif.views.decoderlens import metrics_of, plots_of


def decoderlens(params: Params) -> None:
    """Write three tables, data/lens with clips, metrics/decoderlens.json and plots."""
    settings = params.decoderlens
    model = params.model.beside(settings.model or params.model.name)
    loaded, table = shared_model(model), load_concepts(Path(settings.concepts))
    holding = lens_holding(params, Footprint.of(loaded), table)
    batches = batches_on(loaded, params, "decoderlens", holding)
    heard = DecoderLens(
        load=partial(shared_model, model),
        load_tagger=partial(shared_tagger, params.judge, model.dtype_beside),
        table=table,
        prompts=settings.prompts,
        playing=Playing.of(settings, settings.seconds),
        tuning=Tuning(steps=settings.tuning_steps),
        rows=batches.rows,
        workers=batches.workers,
        kept=settings.kept_prompts,
        load_second=second_tagger_of(params.judge, model.dtype_beside),
        cache=WORK_CACHE / "lens",
    ).run()
    rows, divergences, similarities = (
        heard.rows(), heard.divergence_rows(), heard.similarity_rows(),
    )  # fmt: skip
    with atomic_folder(LENS) as folder:
        heard.write_clips(folder)
    write_table(DECODERLENS, rows)
    write_table(LENS_DIVERGENCE, divergences)
    write_table(LAYER_SIMILARITY, similarities)
    write_json(METRICS / "decoderlens.json", metrics_of(rows))
    write_plots(plots_of(rows, divergences))
