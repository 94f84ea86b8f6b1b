"""Rows of the listening table: what each layer plays for a prompt, and what a tagger names it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from leitmotif.report.clips import ReportClip
from leitmotif.report.folder import Folder
from leitmotif.report.kept import add_kept
from leitmotif.report.lens.figures import HEARD, LENSES
from leitmotif.report.lens.sources import LensSources
from leitmotif.report.numbers import Number, placed
from leitmotif.report.words import number
from leitmotif.tables.decoderlens import Heard, Lens, LensClipRow
from leitmotif.work.progress import progress

CLIPS = "data/lens/clips.jsonl"
Key = tuple[str, str, int, Lens, Heard]
"""Concept, prompt, layer and way of a clip."""


@dataclass(frozen=True)
class Choice:
    """One side of a switch."""

    value: str
    label: str
    meaning: str


@dataclass(frozen=True)
class Switch:
    """Two ways to hear layers, of which one is chosen."""

    name: str
    legend: str
    choices: Sequence[Choice]


SWITCHES = (
    Switch(
        "heard",
        "What a layer plays after",
        [
            Choice(
                "sampled",
                "Alone",
                "The layer plays after what it has played itself. A concept that is heard here was "
                "made by this layer and those before it.",
            ),
            Choice(
                "read",
                "While the model plays",
                "At every step the layer says what it would play next, after what the whole model "
                "has played. The concept is heard in that already; the layer may only go on with "
                "it.",
            ),
        ],
    ),
    Switch(
        "lens",
        "By which lens",
        [
            Choice("plain", "Plain lens", "The heads read what the layer holds as it is."),
            Choice(
                "tuned",
                "Tuned lens",
                "An affine map, fitted on other prompts, first carries what the layer holds to the "
                "last layer. It shows what the layer holds and the heads cannot read.",
            ),
        ],
    ),
)


@dataclass(frozen=True)
class ClipCell:
    """One clip of the table."""

    clip: ReportClip
    ways: Sequence[str]
    """In which it is heard, such as ``plain-read``; at the last layer all are the same."""
    named: str
    right: bool
    """Whether the tagger names the concept of the prompt."""
    ndcg: Number
    label: str
    """What a screen reader says of the button."""


@dataclass(frozen=True)
class PromptLine:
    """A prompt with the cells of each layer."""

    concept: str
    prompt: str
    name: str
    """The concept, numbered if clips of several of its prompts were kept."""
    layers: Sequence[Sequence[ClipCell]]


@dataclass(frozen=True)
class SlotLines:
    """The part of the table about one slot."""

    slot: str
    lines: Sequence[PromptLine]


def listening(folder: Folder, sources: LensSources) -> list[SlotLines]:
    """Write every kept clip into the report, and give the table's parts.

    A slot without clips is left out. Raises LeitmotifError if the audio of a clip cannot be read.
    """
    clips: dict[Key, tuple[LensClipRow, ReportClip]] = {}
    for row in progress(sources.clips, "clips of layers", total=len(sources.clips)):
        clips[row.concept, row.prompt, row.layer, row.lens, row.heard] = (
            row,
            add_kept(folder, sources.folder / row.file, row.sha256, stage="decoderlens"),
        )
    parts = []
    for slot, concepts in sources.slots.items():
        lines = []
        for concept in concepts:
            prompts = list(dict.fromkeys(key[1] for key in clips if key[0] == concept))
            for count, prompt in enumerate(prompts, start=1):
                name = concept if len(prompts) == 1 else f"{concept} {count}"
                layers = [
                    _cells(clips, (concept, prompt, layer), name, last=layer == sources.layers[-1])
                    for layer in sources.layers
                ]
                lines.append(PromptLine(concept, prompt, name, layers))
        if lines:
            parts.append(SlotLines(slot, lines))
    return parts


def switches(sources: LensSources) -> list[Switch]:
    """What can be chosen; values of which no clip was kept are left out."""
    kept = {value for row in sources.clips for value in (row.lens, row.heard)}
    return [
        replace(switch, choices=[choice for choice in switch.choices if choice.value in kept])
        for switch in SWITCHES
    ]


def _cells(
    clips: Mapping[Key, tuple[LensClipRow, ReportClip]],
    of: tuple[str, str, int],
    name: str,
    *,
    last: bool,
) -> list[ClipCell]:
    """The clips of one layer, each once, with the ways in which it is heard."""
    concept, prompt, layer = of
    by_clip: dict[ReportClip, tuple[LensClipRow, list[str]]] = {}
    for heard, lens in product(HEARD, LENSES):
        # At the last layer there is nothing to map: the tuned lens is the plain one.
        kept = clips.get((concept, prompt, layer, "plain" if last else lens, heard))
        if kept is not None:
            row, clip = kept
            by_clip.setdefault(clip, (row, []))[1].append(f"{lens}-{heard}")
    return [
        ClipCell(
            clip=clip,
            ways=ways,
            named=row.named,
            right=row.named == concept,
            ndcg=placed(number(row.ndcg), row, "ndcg", file=CLIPS),
            label=f"{name}, layer {layer}: {row.named}, NDCG {number(row.ndcg)}",
        )
        for clip, (row, ways) in by_clip.items()
    ]
