"""The rows of a generation on their way through the decoder.

The prefix runs once for each kind of row; its keys and values then serve all rows of the kind.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from leitmotif.musicgen.core import Conditioning, Core
from leitmotif.musicgen.intervention import Half, Intervention
from leitmotif.musicgen.key_values import ReplayedCache, key_value_cache
from leitmotif.musicgen.model import TextKeys
from leitmotif.musicgen.tap import Place, Tap, bind, no_numbers


class Batch:
    """Rows of a generation, in one or both halves of the guidance."""

    def __init__(
        self,
        model: Core,
        rows: int,
        halves: Sequence[Half],
        interventions: Sequence[Intervention],
        sites: Sequence[str],
        place: Place | None = None,
    ) -> None:
        """``place`` says where the step's number lies, if steps may be replayed."""
        self._model, self._halves, self._place = model, halves, place
        self._rows, self._interventions, self._sites = rows, interventions, sites
        self._tap = self._bind(interventions, rows)

    def read_prefix(
        self,
        tokens: Tensor,
        contents: Sequence[object],
        conditioning: Conditioning | None,
        first_positions: Sequence[int],
        steps: int,
    ) -> Tensor:
        """Read the first tokens [B, K, P + 1] and return the stream [halves * B, 1, d] after them.

        ``contents`` says which rows have the same prompt and prefix, ``first_positions`` has the
        position of each row's first step.
        """
        model, device = self._model, tokens.device
        contents = list(zip(contents, first_positions, strict=True))
        first, kind = _kinds(contents, self._interventions, tokens.shape[2])
        one_each = torch.tensor(first, device=device)
        self._prefix_tap = self._bind(
            [seen for item in self._interventions if (seen := _restrict(item, first))], len(first)
        )
        self._cache = key_value_cache(
            layers=model.num_layers,
            rows=len(self._halves) * self._rows,
            heads=model.config.heads,
            steps=steps,
            like=model.decoder.final_norm.weight,
            replayed=self._place is not None,
        )
        self._positions = model.positions(max(first_positions) + steps)
        self._first_positions = torch.tensor([*first_positions] * len(self._halves), device=device)
        of_kinds = [first_positions[row] for row in first] * len(self._halves)
        hidden = model.decoder(
            tokens[one_each].repeat(len(self._halves), 1, 1),
            model.positions_from(of_kinds, tokens.shape[2]),
            **_text(conditioning, one_each),
            tap=self._prefix_tap,
            past=self._cache,
        )[:, -1:]
        offsets = [half * len(first) for half in range(len(self._halves))]
        self._expand = torch.tensor([at + k for at in offsets for k in kind], device=device)
        self._text = _text(conditioning, None)
        if len(first) == self._rows:
            return hidden
        self._cache.take_rows(self._expand)
        return hidden[self._expand]

    def read_step(self, tokens: Tensor, step: int) -> Tensor:
        """Read one step's tokens [B, K, 1] and return the stream [halves * B, 1, d] after it."""
        self._tap.first_step, self._tap.place = step, self._place
        number: int | Tensor = step
        if self._place is not None:
            number = self._place.step
            assert isinstance(self._cache, ReplayedCache)
            self._cache.begin(step, number)
        return self._model.decoder(
            tokens.repeat(len(self._halves), 1, 1),
            self._positions[self._first_positions + number][:, None],
            **self._text,
            tap=self._tap,
            past=self._cache,
        )

    def captured(self) -> dict[str, Tensor]:
        """Activations [halves * B, S, d] of all steps read."""
        captured = {}
        for site in self._sites:
            of_prefix = self._prefix_tap.captured[site][0][self._expand]
            later = self._tap.captured[site]
            if self._place is not None:
                later = [x[:, of_prefix.shape[1] :] for x in later]
            captured[site] = torch.cat([of_prefix, *later], dim=1)
        return captured

    def check(self, not_finite: Sequence[int], steps: int) -> None:
        """Raise ModelError for rows whose logits held NaN or infinity before step ``steps``.

        ``not_finite`` [halves * B] is the first such step of each.
        """
        first = min(not_finite)
        if first == steps:
            return
        rows = sorted({i % self._rows for i, step in enumerate(not_finite) if step < steps})
        tap = self._tap if self._tap.makers_of_no_number() else self._prefix_tap
        raise no_numbers(f"the logits of step {first}, in rows {rows}", tap, self._model.dtype)

    def _bind(self, interventions: Sequence[Intervention], rows: int) -> Tap:
        decoder = self._model.decoder
        bound = bind(
            interventions,
            rows=rows,
            halves=self._halves,
            sites=[*self._model.sites, *self._model.parts],
            like=decoder.final_norm.weight,
        )
        return Tap(bound, self._sites)


def _kinds(
    contents: Sequence[object], interventions: Sequence[Intervention], steps: int
) -> tuple[list[int], list[int]]:
    """The first row of each kind whose first ``steps`` run alike, and each row's kind."""
    kinds: dict[object, int] = {}
    first: list[int] = []
    kind_of: list[int] = []
    for row, content in enumerate(contents):
        touching = [item for item in interventions if item.touches(row, steps)]
        # What a function, or a tensor with vectors for each row, does to two rows may differ.
        alone = any(
            callable(item.change) or (item.tensor is not None and item.tensor.dim() == 3)
            for item in touching
        )
        kind = (content, tuple(map(id, touching)), row if alone else None)
        if kind not in kinds:
            kinds[kind] = len(first)
            first.append(row)
        kind_of.append(kinds[kind])
    return first, kind_of


def _restrict(item: Intervention, rows: Sequence[int]) -> Intervention | None:
    """The intervention as seen by a batch of these rows alone; None if it leaves them alone."""
    if item.rows is None:
        return item
    kept = [i for i, row in enumerate(item.rows) if row in rows]
    if not kept:
        return None
    tensor = item.tensor
    if tensor is not None and tensor.dim() == 3:
        tensor = tensor[kept]
    return replace(item, rows=[rows.index(item.rows[i]) for i in kept], tensor=tensor)


def _text(conditioning: Conditioning | None, rows: Tensor | None) -> dict[str, Any]:
    """The decoder's arguments for these rows of the prompts, or for all of them."""
    if conditioning is None:
        return {"text": None, "text_mask": None}
    text, mask = conditioning
    if rows is not None:
        text = [TextKeys(keys[rows], values[rows]) for keys, values in text]
        mask = None if mask is None else mask[rows]
    return {"text": text, "text_mask": mask}
