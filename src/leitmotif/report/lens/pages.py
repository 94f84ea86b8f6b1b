"""Writes the page of layers into a report."""

from leitmotif.errors import counted
from leitmotif.report.folder import Folder
from leitmotif.report.lens.cells import listening, switches
from leitmotif.report.lens.figures import divergence_figure, lenses_figure, recognition_figure
from leitmotif.report.lens.similarity import similarity_figure
from leitmotif.report.lens.sources import LensSources
from leitmotif.report.numbers import Number, Said, counted_from, number_of, placed
from leitmotif.report.words import number

PAGE = "lens.html"
RECOGNITION, DIVERGENCE = "data/decoderlens.jsonl", "data/lens_divergence.jsonl"
SIMILARITY = "data/layer_similarity.jsonl"


def write_lens_page(folder: Folder, sources: LensSources) -> None:
    """Write the page with its figures, its listening table and the table's clips.

    Raises LeitmotifError if the audio of a clip cannot be read.
    """
    folder.page(
        PAGE,
        "lens.html",
        facts=_facts(sources),
        switches=switches(sources),
        parts=listening(folder, sources),
        layers=sources.layers,
        recognition=[(slot, recognition_figure(sources, slot)) for slot in sources.slots],
        lenses=lenses_figure(sources),
        divergence=divergence_figure(sources),
        similarity=similarity_figure(sources),
        drawn_from={
            "recognition": counted_from(RECOGNITION),
            "divergence": counted_from(DIVERGENCE),
            "similarity": counted_from(SIMILARITY),
        },
    )


def _facts(sources: LensSources) -> list[tuple[str, Said]]:
    """Sizes of the experiment, and how well each slot is recognised at its ends."""
    concepts = [concept for of_slot in sources.slots.values() for concept in of_slot]
    layers = counted_from(RECOGNITION, counted(len(sources.layers), "layer"))
    facts: list[tuple[str, Said]] = [
        ("model", [f"{sources.model}, ", layers]),
        ("concepts", counted_from(RECOGNITION, str(len(concepts)))),
    ]
    for slot in sources.slots:
        curve = sources.curve(slot, None, heard="sampled")
        for row in curve[:1] + curve[1:][-1:]:
            heard = number_of(row, "within", file=RECOGNITION, digits=2, of="prompt", sign=False)
            facts.append((f"{slot} at layer {row.layer}", heard))
        facts += [
            (
                f"{slot} by chance",
                placed(number(row.chance_within), row, "chance_within", file=RECOGNITION),
            )
            for row in curve[:1]
        ]
    if agreed := _agreement(sources):
        facts.append(("two taggers name the same", agreed))
    return facts


def _agreement(sources: LensSources) -> list[str | Number]:
    """In which share of the whole model's clips of each slot; empty without a second tagger."""
    said: list[str | Number] = []
    for slot in sources.slots:
        row = sources.curve(slot, None)[-1]
        if row.agreement is None:
            continue
        share = number_of(row, "agreement.named", file=RECOGNITION, digits=2, of="clip", sign=False)
        chance = placed(
            number(row.agreement.named_by_chance), row, "agreement.named_by_chance",
            file=RECOGNITION,
        )  # fmt: skip
        said += ["; " if said else "", f"{slot} ", share, ", by chance ", chance]
    return said
