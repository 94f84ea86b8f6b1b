"""Outputs of the stage swaps with made-up numbers, and a tone for each clip."""

from collections.abc import Iterator, Sequence
from itertools import permutations, product
from pathlib import Path

import numpy as np
import soundfile

from leitmotif.files import sha256_file, write_table
from leitmotif.pipeline import SWAP_CLIPS, SWAP_SUMMARY, SWAPS
from leitmotif.report.swaps.sources import CLIPS
from leitmotif.sites import Component, Technique
from leitmotif.tables.swaps import Depth, MeasuredRow, SwapClipRow, SwapRow, SwapSummaryRow
from tests.report.made import MARKUP, RATE
from tests.tables.made import interval, measured_swap, swapped

CONCEPTS = ("guitar", "piano", MARKUP)
COMPONENTS: tuple[Component, ...] = ("self_attention", "mlp", "residual")
TECHNIQUES: tuple[Technique, ...] = ("replace", "adjust")
PROMPT = f"Compose a calm {MARKUP} piece."


def desired_of(original: str) -> str:
    """The next concept."""
    return CONCEPTS[(CONCEPTS.index(original) + 1) % len(CONCEPTS)]


def hertz(original: str, place: tuple[Technique, Component, int] | None = None) -> int:
    """Pitch of a clip, different for each of few layers."""
    if place is None:
        return 400 + 100 * CONCEPTS.index(original)
    technique, component, layer = place
    way = TECHNIQUES.index(technique) * len(COMPONENTS) + COMPONENTS.index(component)
    return 1000 + 1500 * CONCEPTS.index(original) + 240 * way + 80 * (layer % 3)


def effect(technique: Technique, component: Component, layer: int) -> float:
    """The MLP does most, in its second layer; self-attention does the opposite."""
    size = {"self_attention": -0.5, "mlp": 2.0 + (layer == 1), "residual": 4.0}[component]
    return size * (0.5 if technique == "adjust" else 1.0)


def write_swaps(root: Path, layers: int = 3, *, kept: bool = True, controls: bool = True) -> Path:
    """Write the three tables, and a clip of half a second for each cell of each concept."""
    clips = root / SWAP_CLIPS
    clips.mkdir(parents=True)
    write_table(root / SWAP_SUMMARY, _summary(layers, controls))
    write_table(root / SWAPS, _rows(layers))
    write_table(root / CLIPS, _clips(clips, layers) if kept else [])
    return root


def _measures(technique: Technique, component: Component, layers: Sequence[int]) -> MeasuredRow:
    of_layers = [effect(technique, component, layer) for layer in layers]
    return measured_swap(float(np.mean(of_layers)))


def _summary(layers: int, controls: bool) -> Iterator[SwapSummaryRow]:
    every = list(range(layers))
    groups: list[tuple[list[int], Depth | None]] = [([layer], None) for layer in every]
    groups += [(every, None), (every[:1], "first"), (every[1:-1], "intermediate")]
    groups += [(every[-1:], "last"), (every, "every")]
    some = [group for group in groups if group[0]]
    for technique, component, (of_group, depth) in product(TECHNIQUES, COMPONENTS, some):
        tested = controls and depth is None
        row = swapped(
            technique=technique,
            component=component,
            layers=of_group,
            depth=depth,
            swap=_measures(technique, component, of_group),
            p=0.001 if tested else None,
            q=(0.004 if component == "mlp" else 0.6) if tested else None,
        )
        if not controls:
            row = row.model_copy(update={"controls": {}, "strongest": None, "excess": None})
        yield row


def _rows(layers: int) -> Iterator[SwapRow]:
    for (original, desired), technique, component, layer in product(
        permutations(CONCEPTS, 2), TECHNIQUES, COMPONENTS, range(layers)
    ):
        yield SwapRow(
            technique=technique,
            component=component,
            layers=[layer],
            frames=(0, 40),
            swap=_measures(technique, component, [layer]),
            ideal_precision=-0.8,
            controls={},
            strongest=None,
            excess=None,
            original=original,
            desired=desired,
            original_slot="instrument",
            desired_slot="instrument",
            turned=interval(0.75),
            turned_before=0.25,
        )


def _clips(folder: Path, layers: int) -> Iterator[SwapClipRow]:
    for number, original in enumerate(CONCEPTS):
        tone(folder / f"{number}.wav", hertz(original))
        yield SwapClipRow(
            original=original, desired=None, technique=None, component=None, layer=None,
            prompt=PROMPT, named=original, effect=None, file=f"{number}.wav",
            sha256=sha256_file(folder / f"{number}.wav"),
        )  # fmt: skip
        for technique, component, layer in product(TECHNIQUES, COMPONENTS, range(layers)):
            file = f"{number}.{technique}.{component}.{layer}.wav"
            tone(folder / file, hertz(original, (technique, component, layer)))
            yield SwapClipRow(
                original=original,
                desired=desired_of(original),
                technique=technique,
                component=component,
                layer=layer,
                prompt=PROMPT,
                named=desired_of(original) if component == "mlp" else original,
                effect=effect(technique, component, layer),
                file=file,
                sha256=sha256_file(folder / file),
            )


def tone(path: Path, pitch: float) -> None:
    """Write half a second of a sine."""
    time = np.arange(RATE // 2) / RATE
    samples = np.round(9000 * np.sin(2 * np.pi * pitch * time)).astype(np.int16)
    soundfile.write(path, samples, RATE, subtype="PCM_16")
