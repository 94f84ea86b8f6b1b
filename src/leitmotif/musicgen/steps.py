"""The steps of a generation: each reads the tokens so far and draws the next."""

from collections.abc import Sequence

import torch
from torch import Tensor

from leitmotif.errors import ModelError
from leitmotif.musicgen.batch import Batch
from leitmotif.musicgen.core import Core
from leitmotif.musicgen.graphs import WORTHWHILE, Graphs, Replay, segments
from leitmotif.musicgen.intervention import Intervention, Replayable
from leitmotif.musicgen.noise import RowNoise
from leitmotif.musicgen.sampling import Sampling, draw, drawable


class Steps:
    """What a step reads and writes; B rows, K codebooks, S steps.

    Parameters
    ----------
    model, batch : read the tokens, in one or both halves of the guidance.
    tokens : [B, K, S + 1], delayed, with pads where there is no frame. Those that are drawn are
        written into it.
    to_draw : [K, S], which predictions are new audio.
    at : int64 [1], where the number of the step is put; the batch reads it there if steps are
        replayed.
    noise, sampling : how a token is drawn.
    scale : weight of the prompts where the batch has both halves (classifier-free guidance).
    graphs : makes graphs of steps, which are then replayed; None: no step is.
    """

    def __init__(
        self,
        model: Core,
        batch: Batch,
        *,
        tokens: Tensor,
        to_draw: Tensor,
        at: Tensor,
        noise: RowNoise,
        sampling: Sampling,
        scale: float | None,
        graphs: Graphs | None,
    ) -> None:
        self._model, self._batch, self._tokens, self._to_draw = model, batch, tokens, to_draw
        self._row_noise, self._sampling, self._scale = noise, sampling, scale
        self._step, self._at, self._graphs = 0, at, graphs
        self._noise: Tensor | None = None
        halves = 1 if scale is None else 2
        self.not_finite = at.new_full((halves * len(tokens),), to_draw.shape[1])
        """First step of each row [halves * B] whose logits are no numbers; S where all are."""

    def run(self, steps: range, hidden: Tensor, interventions: Sequence[Intervention]) -> None:
        """Take all steps; ``hidden`` [halves * B, 1, d] is the stream of the first of them.

        The steps of a segment are replayed if all that acts there can be. Raises ModelError where a
        function that is marked so cannot.
        """
        self._begin(steps.start)
        self._draw(hidden)
        rest = steps[1:]
        if self._graphs is None:
            self._take(rest)
            return
        spans = [item.steps for item in interventions if item.steps is not None]
        cuts = [cut for span in spans for cut in (span.start, span.stop)]
        for segment in segments(rest, cuts):
            acting = [item for item in interventions if item.acts_in(segment)]
            if len(segment) < WORTHWHILE or not all(item.replayable for item in acting):
                self._take(segment)
                continue
            # The first step makes ready what a recording may not: room, kernels.
            self._take(segment[:1])
            self._begin(segment[1])
            replay = self._recorded(self._graphs, acting)
            for step in segment[1:]:
                self._begin(step)
                replay()

    def _recorded(self, graphs: Graphs, acting: Sequence[Intervention]) -> Replay:
        try:
            return graphs.of(self._read_and_draw)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            sites = sorted({item.site for item in acting if isinstance(item.change, Replayable)})
            where = ", ".join(sites) or "no site"
            raise ModelError(
                f"step {self._step} cannot be replayed",
                found=f"{str(error).splitlines()[0]}; functions act at {where}",
                expected="operations on tensors of the GPU, and no value from or to Python",
                fix="give the function without Replayable, or set model.use_graphs to False",
            ) from error

    def _take(self, steps: range) -> None:
        for step in steps:
            self._begin(step)
            self._read_and_draw()

    def _begin(self, step: int) -> None:
        """Put what belongs to a step where the step reads it."""
        self._step = step
        self._at.fill_(step)
        if self._sampling.temperature:
            noise = self._row_noise.at(step)
            if self._graphs is None:
                self._noise = noise
            elif self._noise is None:
                self._noise = noise.clone()
            else:
                self._noise.copy_(noise)

    def _read_and_draw(self) -> None:
        self._draw(self._batch.read_step(self._tokens.index_select(2, self._at), self._step))

    def _draw(self, hidden: Tensor) -> None:
        logits = self._model.decoder.logits(hidden)[:, 0]  # [halves * B, K, V]
        finite = drawable(logits, self._sampling)
        if self._scale is not None:
            with_prompt, without = logits.chunk(2)
            logits = without + self._scale * (with_prompt - without)
            finite = finite & drawable(logits, self._sampling).repeat(2)
        first = torch.minimum(self.not_finite, self._at)
        self.not_finite.copy_(torch.where(finite, self.not_finite, first))
        token = draw(logits, self._noise, self._sampling)[..., None]
        after = self._at + 1
        kept = self._tokens.index_select(2, after)
        chosen = self._to_draw.index_select(1, self._at)
        self._tokens.index_copy_(2, after, torch.where(chosen, token, kept))
