"""Which heads carry a decision from what decides an event, and whether by way of the gap.

Path patching (Wang et al. 2022, "Interpretability in the wild"; Goldowsky-Dill et al. 2023): an
edge leads from the steps that decide an event, the *sender*, through one head of self-attention to
later steps, the *receiver*. What the head adds at the receiver is computed once more with the keys
and values of the sender taken from the counterfactual. The difference is added to what the head
adds, and all that follows is computed anew. If the event then changes, the decision travels by this
edge.

The receiver is the *gap* between what decides the event and the event, or the *slot*: the steps
that predict the event's first frames. In a model that foresees, edges to the gap carry the
decision. In one that looks back, edges to the slot do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import get_args

import numpy as np
import torch
from torch import Tensor

from leitmotif.causal.experiment.effects import effect_of, mean_by_track
from leitmotif.causal.experiment.events import Event
from leitmotif.causal.interchange.faithfulness import halves
from leitmotif.causal.interchange.reader import EventReader, read_in_parts
from leitmotif.claims import is_above_zero
from leitmotif.errors import ModelError
from leitmotif.musicgen.protocol import MusicModel
from leitmotif.sites import split_site
from leitmotif.tables.heads import HeadRow, Receiver

MOST = 8
"""Heads that are tried together."""
Heads = tuple[str, ...]
Moved = list[tuple[float, float]]
"""By event: change of its log-odds towards the counterfactual, and the total effect."""


@dataclass(frozen=True)
class HeadPaths:
    """Patches the edges from what decides an event through heads, in one model.

    Parameters
    ----------
    load : gives the model, the same one each time in a process; it must pickle.
    rows : events that are read at once.
    """

    load: Callable[[], MusicModel]
    rows: int = 8

    def run(self, name: str, events: Sequence[Event]) -> list[HeadRow]:
        """Rows of the table: by receiver every head alone, the strongest first, then the first few.

        Heads are ranked on half of the tracks, and what the first of them do together is measured
        on the other half. Raises ModelError for a model that offers no heads, and
        ProbeError for events of fewer than four tracks.
        """
        heads = [site for site in self.load().parts if ".head." in site]
        if not heads:
            raise ModelError(
                f"{name} offers no heads of self-attention",
                expected="sites such as layers.0.self_attention.head.0 (MusicModel.parts)",
            )
        first, second = halves([event.track_id for event in events])
        ranking, others = ([events[number] for number in half] for half in (first, second))
        rows = []
        for receiver in get_args(Receiver):
            alone = self._moved(ranking, receiver, [(head,) for head in heads])
            ranked = sorted(alone, key=lambda heads: -_mean(alone[heads]))
            together = [sum(ranked[:n], ()) for n in range(1, min(MOST, len(heads)) + 1)]
            joint = self._moved(others, receiver, together)
            rows += [
                _row(name, receiver, head, alone[head], ranking, apart=False) for head in ranked
            ]
            rows += [
                _row(name, receiver, many, joint[many], others, apart=True) for many in together
            ]
        return rows

    def _moved(
        self, events: Sequence[Event], receiver: Receiver, sets: Sequence[Heads]
    ) -> dict[Heads, Moved]:
        """What each set of heads does to each event, on all processors."""
        job, device = partial(_read, self, receiver, sets), self.load().device.type
        by_event = read_in_parts(job, events, rows=self.rows, device=device)
        return {
            heads: list(moved)
            for heads, moved in zip(sets, zip(*by_event, strict=True), strict=True)
        }


@torch.no_grad()
def _read(
    paths: HeadPaths, receiver: Receiver, sets: Sequence[Heads], events: Sequence[Event]
) -> list[tuple[tuple[float, float], ...]]:
    """What is done to each of some events by each set of heads."""
    model = paths.load()
    named = {head for heads in sets for head in heads}
    senders = {f"{_attention(head)}.{part}" for head in named for part in "kv"}
    reader = EventReader(model, events, [*named, *sorted(senders)])
    routed = _routed(reader, sorted(named))
    steps = [event.gap if receiver == "gap" else _slot(event) for event in events]
    signs, own = torch.tensor([event.sign for event in events]), reader.own.odds
    total = signs * (reader.donors["counterfactual"].odds - own)
    moved = []
    for heads in sets:
        added = {head: _only(steps, routed[head] - reader.own.at[head]) for head in heads}
        change = signs * (reader.shifted(added) - own)
        moved.append(list(zip(change.tolist(), total.tolist(), strict=True)))
    return list(zip(*moved, strict=True))


def _routed(reader: EventReader, heads: Sequence[str]) -> dict[str, Tensor]:
    """What each head adds, [rows, S, d], if it read the sender's keys and values elsewhere."""
    deciding = [event.deciding for event in reader.events]
    by_attention: dict[str, list[str]] = {}
    for head in heads:
        by_attention.setdefault(_attention(head), []).append(head)
    routed: dict[str, Tensor] = {}
    # A head's keys and values are its own, so all heads of a block share a pass.
    for attention, of_block in by_attention.items():
        edits = {
            site: reader.mixed(site, deciding) for site in (f"{attention}.k", f"{attention}.v")
        }
        routed |= dict(reader.activations(of_block, edits))
    return routed


def _only(steps: Sequence[range], x: Tensor) -> Tensor:
    """Zeros but at the steps of each row."""
    kept = torch.zeros_like(x)
    for row, at in enumerate(steps):
        kept[row, at.start : at.stop] = x[row, at.start : at.stop]
    return kept


def _attention(head: str) -> str:
    return f"layers.{split_site(head)[0]}.self_attention"


def _slot(event: Event) -> range:
    return range(event.onset, event.frame + 1)


def _mean(moved: Moved) -> float:
    return float(np.mean([change for change, _ in moved]))


def _row(
    model: str,
    receiver: Receiver,
    heads: Heads,
    moved: Moved,
    events: Sequence[Event],
    *,
    apart: bool,
) -> HeadRow:
    tracks = [event.track_id for event in events]
    changes, totals = (
        mean_by_track(zip(tracks, values, strict=True)) for values in zip(*moved, strict=True)
    )
    change, total = effect_of(changes), effect_of(totals)
    # A model that does not know the event has no total effect, and nothing is a share of it.
    known = is_above_zero(total.interval)
    return HeadRow(
        model=model,
        receiver=receiver,
        heads=list(heads),
        nats=change.row(3),
        share=round(change.interval.mean / total.interval.mean, 4) if known else None,
        measured_apart=apart,
    )
