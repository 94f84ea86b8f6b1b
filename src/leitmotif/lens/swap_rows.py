"""What was heard of swaps, as rows of tables: by pair of concepts, and over pairs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from leitmotif.audio.writing import write_wav
from leitmotif.files import sha256_file, write_table
from leitmotif.intervals import bounded_mean
from leitmotif.lens.agreement import agreed
from leitmotif.lens.effects import (
    DIGITS,
    Array,
    Cluster,
    SwapEffects,
    TaggedClips,
    averaged,
    cell_fields,
    clustered,
    excess_p,
    heard,
    ideal_precision,
    joined,
    measured,
)
from leitmotif.lens.heard import CLIPS
from leitmotif.lens.kept_swaps import KeptClip
from leitmotif.lens.pairs import Side
from leitmotif.lens.sweep import Swap, SwapCell, SwapSweep
from leitmotif.sites import Technique
from leitmotif.tables.decoderlens import AgreementRow
from leitmotif.tables.interval import IntervalRow, three_digits
from leitmotif.tables.swaps import Depth, Scope, SwapClipRow, SwapRow, SwapSummaryRow

Concepts = tuple[Side, Side]
"""Original and desired."""


class _Scope(NamedTuple):
    """Some pairs of concepts."""

    scope: Scope
    slots: tuple[str | None, str | None]
    """Null where they may be any."""
    members: Sequence[Concepts]


class _Pooled(NamedTuple):
    """One row of the summary: a cell, or several that are averaged."""

    technique: Technique
    cells: Sequence[SwapCell]
    depth: Depth | None


@dataclass(frozen=True, eq=False)
class HeardSwaps:
    """Everything that was heard."""

    sweep: SwapSweep
    columns: Mapping[str, int]
    """Columns of the labels by which concepts are known, among the tagger's."""
    before: Mapping[str, Array]
    """The tagger's logits of the original clips [n, labels], by set of prompts."""
    after: Mapping[Swap, TaggedClips]
    kept: Mapping[KeptClip, NDArray[np.int16]]
    """Samples [n] of the clips that are kept as audio."""
    sample_rate: int
    """Sample rate of the clips, in Hz."""
    length: int
    """Length of the clips, in frames."""

    def rows(self) -> list[SwapRow]:
        """Every cell and pair of concepts."""
        return [
            SwapRow(
                technique=technique,
                component=cell.component,
                layers=list(cell.layers),
                frames=self._frames(cell),
                original=sides[0].concept,
                desired=sides[1].concept,
                original_slot=sides[0].slot,
                desired_slot=sides[1].slot,
                ideal_precision=round(float(self._ideal[sides].mean()), DIGITS),
                turned=_share(self._turned(technique, cell, sides)),
                turned_before=round(float(self._turned(None, cell, sides).mean()), DIGITS),
                **cell_fields(cluster),
            )
            for (technique, cell), clusters in self._clusters.items()
            for sides, cluster in clusters.items()
        ]

    def summary_rows(self) -> list[SwapSummaryRow]:
        """Every cell, and means over layers, for all pairs and those within and across slots."""
        rows, group = [], [*self._pooled()]
        for scope in self._scopes():
            clusters = [self._pool(pooled, scope) for pooled in group]
            p = [
                None if pooled.depth else excess_p(cluster)
                for pooled, cluster in zip(group, clusters, strict=True)
            ]
            q = _corrected(p)
            for pooled, cluster, of_p, of_q in zip(group, clusters, p, q, strict=True):
                rows.append(
                    SwapSummaryRow(
                        technique=pooled.technique,
                        component=pooled.cells[0].component,
                        layers=[layer for cell in pooled.cells for layer in cell.layers],
                        frames=self._frames(pooled.cells[0]),
                        ideal_precision=round(self._ideal_of(scope), DIGITS),
                        scope=scope.scope,
                        original_slot=scope.slots[0],
                        desired_slot=scope.slots[1],
                        depth=pooled.depth,
                        pairs=len(scope.members),
                        p=None if of_p is None else three_digits(of_p),
                        q=of_q,
                        agreement=self._agreement(pooled, scope),
                        **cell_fields(cluster),
                    )
                )
        return rows

    def write_clips(self, folder: Path) -> list[SwapClipRow]:
        """Write the kept clips as WAV files into a folder, and clips.jsonl, their table.

        Raises StoreError on a full disk.
        """
        rows: list[SwapClipRow] = []
        prompts = dict.fromkeys((clip.pair.original, clip.number) for clip in self.kept)
        numbers = {prompt: number for number, prompt in enumerate(prompts)}
        for clip, audio in self.kept.items():
            name = [str(numbers[clip.pair.original, clip.number])]
            if clip.swap is not None:
                name += [clip.swap.technique, clip.swap.cell.component]
                name += map(str, clip.swap.cell.layers)
            path = folder / f"{'.'.join(name)}.wav"
            write_wav(path, audio, self.sample_rate)
            rows.append(self._clip_row(clip, path))
        write_table(folder / CLIPS, rows)
        return rows

    def _clip_row(self, clip: KeptClip, path: Path) -> SwapClipRow:
        swap, (original, desired) = clip.swap, clip.pair.sides
        heard = self._heard_before[clip.pair.original] if swap is None else self.after[swap]
        odds = heard.log_odds[clip.number]
        sides = [side for side in self._sides if side.slot == original.slot]
        effect = None if swap is None else self._measured(swap, clip.pair.sides).effect[clip.number]
        return SwapClipRow(
            original=original.concept,
            desired=None if swap is None else desired.concept,
            technique=None if swap is None else swap.technique,
            component=None if swap is None else swap.cell.component,
            layer=None if swap is None else swap.cell.layers[0],
            prompt=self.sweep.pairs.sets[clip.pair.original].texts[clip.number],
            named=max(sides, key=lambda side: odds[self._known[side.label]]).concept,
            effect=None if effect is None else round(float(effect), DIGITS),
            file=path.name,
            sha256=sha256_file(path),
        )

    @property
    def _sides(self) -> list[Side]:
        """Every concept once."""
        return list(dict.fromkeys(side for sides in self.sweep.pairs.by_concepts for side in sides))

    @cached_property
    def _known(self) -> dict[str, int]:
        """Number of each known label among those that ``TaggedClips`` keeps."""
        return {label: number for number, label in enumerate(self.columns)}

    @cached_property
    def _heard_before(self) -> dict[str, TaggedClips]:
        known = [*self.columns.values()]
        return {name: heard(logits, logits, known) for name, logits in self.before.items()}

    @cached_property
    def _ideal(self) -> dict[Concepts, Array]:
        """Precision of perfect swaps [n]."""
        return {
            sides: np.concatenate(
                [
                    ideal_precision(
                        self.before[pair.original], *(self.columns[side.label] for side in sides)
                    )
                    for pair in pairs
                ]
            )
            for sides, pairs in self.sweep.pairs.by_concepts.items()
        }

    def _ideal_of(self, scope: _Scope) -> float:
        return float(np.mean([self._ideal[sides].mean() for sides in scope.members]))

    @cached_property
    def _clusters(self) -> dict[tuple[Technique, SwapCell], dict[Concepts, Cluster]]:
        """What each cell does to the clips of each pair of concepts."""
        return {
            (technique, cell): {
                sides: self._cluster(technique, cell, sides)
                for sides in self.sweep.pairs.by_concepts
            }
            for technique, cell in product(self.sweep.techniques, self.sweep.cells)
        }

    def _measured(self, swap: Swap, sides: Concepts) -> SwapEffects:
        original, desired = (self._known[side.label] for side in sides)
        return measured(self._heard_before[swap.original], self.after[swap], original, desired)

    def _cluster(self, technique: Technique, cell: SwapCell, sides: Concepts) -> Cluster:
        of_pairs = [
            {
                kind: self._measured(swap, sides)
                for kind, swap in self.sweep.of(pair, cell, technique).items()
            }
            for pair in self.sweep.pairs.by_concepts[sides]
        ]
        kinds = [kind for kind in of_pairs[0] if all(kind in values for values in of_pairs)]
        return {kind: joined([values[kind] for values in of_pairs]) for kind in kinds}

    def _turned(self, technique: Technique | None, cell: SwapCell, sides: Concepts) -> Array:
        """Whether the desired label ranks above the original one [n]; None: before the swap."""
        original, desired = (self._known[side.label] for side in sides)
        odds = np.concatenate(
            [
                self._heard_before[pair.original].log_odds
                if technique is None
                else self.after[self.sweep.of(pair, cell, technique)["swap"]].log_odds
                for pair in self.sweep.pairs.by_concepts[sides]
            ]
        )
        return (odds[:, desired] > odds[:, original]).astype(np.float64)

    def _scopes(self) -> list[_Scope]:
        every = [*self.sweep.pairs.by_concepts]
        scopes = [_Scope("all", (None, None), every)]
        slotted = [sides for sides in every if None not in (sides[0].slot, sides[1].slot)]
        within = [sides for sides in slotted if sides[0].slot == sides[1].slot]
        scopes.append(_Scope("within", (None, None), within))
        across = [sides for sides in slotted if sides[0].slot != sides[1].slot]
        scopes.append(_Scope("across", (None, None), across))
        for slots in dict.fromkeys((sides[0].slot, sides[1].slot) for sides in slotted):
            members = [sides for sides in slotted if (sides[0].slot, sides[1].slot) == slots]
            scopes.append(_Scope("slots", slots, members))
        return [scope for scope in scopes if scope.members]

    def _pooled(self) -> Iterator[_Pooled]:
        """Cells of each technique, and means over their layers."""
        for technique in self.sweep.techniques:
            yield from (_Pooled(technique, [cell], None) for cell in self.sweep.cells)
            single = [cell for cell in self.sweep.cells if len(cell.layers) == 1]
            single.sort(key=lambda cell: (cell.component, self._frames(cell), cell.layers))
            for _, of_component in groupby(
                single, key=lambda cell: (cell.component, self._frames(cell))
            ):
                for depth in _depths([*of_component]):
                    yield _Pooled(technique, *depth)

    def _frames(self, cell: SwapCell) -> tuple[int, int]:
        """The first frame in which a cell is changed, and the end of the last one."""
        span = cell.span(self.length)
        return span.start, span.stop

    def _pool(self, pooled: _Pooled, scope: _Scope) -> Cluster:
        """What some cells do, mean over them, in each pair of concepts."""
        of_cells = [self._clusters[pooled.technique, cell] for cell in pooled.cells]
        return clustered(
            [
                {
                    kind: averaged([values[sides][kind] for values in of_cells])
                    for kind in of_cells[0][sides]
                }
                for sides in scope.members
            ]
        )

    def _agreement(self, pooled: _Pooled, scope: _Scope) -> AgreementRow | None:
        """Of both taggers, on the swapped clips of these cells and pairs."""
        swapped = [
            self.after[self.sweep.of(pair, cell, pooled.technique)["swap"]]
            for cell in pooled.cells
            for sides in scope.members
            for pair in self.sweep.pairs.by_concepts[sides]
        ]
        second = [clips.second for clips in swapped if clips.second is not None]
        if not second:
            return None
        heard = np.concatenate([clips.log_odds for clips in swapped]), np.concatenate(second)
        return agreed(heard, (heard[0].argmax(1), heard[1].argmax(1)))


def _depths(cells: Sequence[SwapCell]) -> Iterator[tuple[Sequence[SwapCell], Depth]]:
    """Cells of one component by how deep they are."""
    yield cells[:1], "first"
    if len(cells) > 2:
        yield cells[1:-1], "intermediate"
    if len(cells) > 1:
        yield cells[-1:], "last"
    yield cells, "every"


def _corrected(p: Sequence[float | None]) -> list[float | None]:
    """Corrected for all that were tested."""
    tested = [value for value in p if value is not None]
    corrected: Iterator[float] = iter(
        false_discovery_control(tested, method="bh") if tested else []
    )
    return [None if value is None else three_digits(float(next(corrected))) for value in p]


def _share(values: Array) -> IntervalRow:
    return IntervalRow.of(bounded_mean(values, (0.0, 1.0)), DIGITS, n=len(values))
