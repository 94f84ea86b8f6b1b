"""The intervention study of this folder's experiment, as two stages share it."""

from leitmotif.causal.experiment.study import Study
from leitmotif.config import OrganismCorpus, Params
from leitmotif.files import read_table
from leitmotif.pipeline import CORPUS, LABELS, WORK_CACHE
from leitmotif.stages.tracks import tracks_with_activations
from leitmotif.tables.labels import Label


def study_of(params: Params, name: str) -> Study:
    """The study of one model, by its folder or hub id; composed music needs no labels."""
    composed = isinstance(params.corpus, OrganismCorpus)
    return Study(
        params,
        name,
        tracks=tracks_with_activations(),
        labels=[] if composed else read_table(LABELS, Label),
        audio_root=CORPUS,
        cache=WORK_CACHE,
    )
