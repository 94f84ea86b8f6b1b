"""The swaps on a model of which it is known what writes the instrument."""

from functools import cache
from pathlib import Path

from leitmotif.files import read_json
from leitmotif.judge.models.tagger import Tagger
from leitmotif.lens.concepts import load_concepts
from leitmotif.lens.pairs import concept_pairs
from leitmotif.lens.playing import Playing
from leitmotif.lens.swaps import Swaps
from leitmotif.lens.sweep import SwapSweep, cells_of
from leitmotif.musicgen import HookedMusicGen, Sampling
from leitmotif.views.swaps import metrics_of

ROOT = Path(__file__).parents[2]
ORGANISM = ROOT / "models" / "organism"


@cache
def model() -> HookedMusicGen:
    folder = str(ORGANISM / "concepts_planted")
    return HookedMusicGen.from_pretrained(folder, device="cpu", dtype="float64")


@cache
def tagger() -> Tagger:
    return Tagger.from_pretrained(str(ORGANISM / "judges" / "tagger"))


def test_the_planted_component_comes_first() -> None:
    table = load_concepts(ROOT / "concepts.yaml").only(["instrument"])
    components = ("self_attention", "cross_attention", "mlp")
    sweep = SwapSweep(
        pairs=concept_pairs(table, 1, seed=0),
        cells=cells_of(components, range(model().num_layers)),
        techniques=["adjust"],
        controls=["mixed", "random"],
    )
    playing = Playing(seconds=0.6, sampling=Sampling(top_k=50), guidance_scale=3.0, seed=0)
    heard = Swaps(model, tagger, sweep, playing, rows=108).run()
    rows, summary = heard.rows(), heard.summary_rows()
    truth = read_json(ORGANISM / "concepts_planted" / "truth.json")
    assert truth["slot"] == "instrument"
    assert metrics_of(rows, summary)["best"] == {"adjust": truth["site"]}
