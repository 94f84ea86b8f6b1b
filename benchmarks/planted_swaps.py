"""Do the swaps find the component that writes a concept, where it is known?

    python -m benchmarks.planted_swaps

In ``models/organism/concepts_planted`` one MLP alone writes the instrument (its truth.json says
which); in ``models/organism/concepts`` the training left it open. Both are swept as the stage
``swaps`` does it. Two readings are scored: ours, the branch that exceeds its controls most
(``views.swaps``), and the naive one, the largest effect anywhere. ``rank`` is the planted MLP's
among all single components by either. Ablations, which take an MLP's output away, show the truth
without swaps: they leave the tagger's naming of instruments and of genres. Our reading of the
planted model is copied into metrics/validity.json.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks._report import RESULTS, machine, record
from leitmotif.config import Params, load_params
from leitmotif.files import read_json, write_json
from leitmotif.judge.models.loading import shared_tagger
from leitmotif.lens.concepts import ConceptTable, load_concepts
from leitmotif.lens.listening import tagged
from leitmotif.lens.pairs import concept_pairs
from leitmotif.lens.playing import Playing
from leitmotif.lens.swaps import Swaps
from leitmotif.lens.sweep import SwapSweep, cells_of
from leitmotif.musicgen import HookedMusicGen, Intervention
from leitmotif.musicgen.loading import shared_model
from leitmotif.tables.swaps import SwapSummaryRow

MODELS = {name: f"models/organism/{name}" for name in ("concepts", "concepts_planted")}
SLOTS = ("instrument", "genre")
PROMPTS = 24
"""For each concept, of ablations."""
RESULT = RESULTS / "planted_swaps.json"


def main() -> None:
    """Sweep, ablate, print, and write benchmarks/results/planted_swaps.json."""
    params = load_params()
    truth = read_json(Path(MODELS["concepts_planted"]) / "truth.json")["site"]
    truths = {"concepts": None, "concepts_planted": truth}
    read = {name: readings(swept(params, folder), truths[name]) for name, folder in MODELS.items()}
    named = {name: ablated(params, folder) for name, folder in MODELS.items()}
    for name in MODELS:
        print(name, read[name], named[name], sep="\n")
    write_json(
        RESULT,
        {"machine": machine(), "truth": truth, "readings": read, "named_after_ablation": named},
    )
    ours = read["concepts_planted"]["ours"]
    record("planted_swaps", {key: ours[key] for key in ("found_first", "rank")})


def swept(params: Params, folder: str) -> list[SwapSummaryRow]:
    """The rows of single layers, of all pairs of the stage's slots."""
    settings, model = params.swaps, params.model.beside(folder)
    table = load_concepts(Path(params.decoderlens.concepts)).only(settings.slots)
    heard = Swaps(
        load=partial(shared_model, model),
        load_tagger=partial(shared_tagger, params.judge, model.dtype_beside),
        sweep=SwapSweep(
            pairs=concept_pairs(table, settings.prompts, seed=params.decoderlens.seed),
            cells=cells_of(settings.components, range(shared_model(model).num_layers)),
            techniques=settings.techniques,
            controls=settings.controls,
        ),
        playing=Playing.of(params.decoderlens, settings.seconds),
        rows=settings.rows,
    ).run()
    return [row for row in heard.summary_rows() if row.scope == "all" and row.depth is None]


def readings(rows: Sequence[SwapSummaryRow], truth: str | None) -> dict[str, Any]:
    """What each reading names first, and where it puts the planted site, if there is one."""
    branches = [row for row in rows if row.component != "residual"]
    ours = sorted(branches, key=lambda row: (row.beyond, excess(row)), reverse=True)
    naive = sorted(rows, key=lambda row: row.swap.effect.mean, reverse=True)
    scored = {}
    for reading, ordered in (("ours", ours), ("naive", naive)):
        sites = list(dict.fromkeys(map(site, ordered)))
        scored[reading] = {
            "first": sites[0],
            "effect": ordered[0].swap.effect.mean,
            "of": len(sites),
            **(
                {}
                if truth is None
                else {"found_first": sites[0] == truth, "rank": 1 + sites.index(truth)}
            ),
        }
    return scored


def excess(row: SwapSummaryRow) -> float:
    """By how much a cell's effect is above that of its strongest control, in nats."""
    return row.excess.mean if row.excess else 0.0


def site(row: SwapSummaryRow) -> str:
    """Its name."""
    return f"layers.{row.layers[0]}.{row.component}"


def ablated(params: Params, folder: str) -> dict[str, dict[str, float]]:
    """Share of clips whose instrument and genre the tagger names rightly, by what is taken away."""
    of_model = params.model.beside(folder)
    model = shared_model(of_model)
    tagger = shared_tagger(params.judge, of_model.dtype_beside)
    table = load_concepts(Path(params.decoderlens.concepts))
    sites = [None, *(f"layers.{layer}.mlp" for layer in range(model.num_layers))]
    return {
        site or "nothing": {slot: named(params, model, tagger, table, slot, site) for slot in SLOTS}
        for site in sites
    }


def named(
    params: Params,
    model: HookedMusicGen,
    tagger: Any,
    table: ConceptTable,
    slot: str,
    site: str | None,
) -> float:
    """The share for one slot."""
    concepts = [concept for concept in table.concepts if concept.slot == slot]
    prompts = [prompt for c in concepts for prompt in table.prompts(c.name, PROMPTS)]
    playing = Playing.of(params.decoderlens, params.swaps.seconds)
    codes = model.generate(
        [prompt.text for prompt in prompts],
        seconds=playing.seconds,
        tracks=[prompt.name for prompt in prompts],
        seed=playing.seed,
        sampling=playing.sampling,
        guidance_scale=playing.guidance_scale,
        interventions=[] if site is None else [Intervention(site, "scale", strength=0.0)],
    ).codes
    logits, _ = tagged(model, tagger, codes)
    columns = [list(tagger.labels).index(concept.labels[0]) for concept in concepts]
    heard = logits[:, columns].argmax(1)
    right = [concepts[n].name for n in heard]
    asked = [c.name for c in concepts for _ in range(PROMPTS)]
    return round(sum(a == b for a, b in zip(right, asked, strict=True)) / len(asked), 4)


if __name__ == "__main__":
    main()
