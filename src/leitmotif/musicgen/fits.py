"""Whether interventions fit a pass: they are refused where they would change nothing."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from leitmotif.errors import ModelError, counted
from leitmotif.musicgen.intervention import Half, Intervention
from leitmotif.sites import split_site


@dataclass(frozen=True)
class Pass:
    """What a pass goes through."""

    rows: int
    """Rows of the batch, in each half."""
    halves: Sequence[Half]
    """Halves of the guidance; without it, the one that there is."""
    steps: int
    """Decoder steps from 0, those of a prefix included."""
    layers: int
    """Blocks that run."""

    def check(self, interventions: Sequence[Intervention]) -> None:
        """Raise ModelError for an intervention that changes nothing of it.

        Frames must have been turned into steps. One that names more steps than there are is
        carried out on those that there are, with a UserWarning.
        """
        for item in interventions:
            if item.rows is not None and not item.rows:
                raise _nothing(item, "rows=[]", "at least one row")
            if item.steps is not None:
                self._check_steps(item, item.steps)
            layer, kind = split_site(item.site)
            if layer >= self.layers:
                found = f"the pass runs {counted(self.layers, 'block')}, and ends before this site"
                raise _nothing(item, found, f"a site of a block below {self.layers}")
            if kind == "cross_attention" and item.half != "conditional":
                self._check_cross_attention(item)

    def _check_steps(self, item: Intervention, named: range) -> None:
        inside = range(named.start, min(named.stop, self.steps))
        if not inside:
            raise _nothing(
                item,
                f"steps {named.start} to {named.stop} in a pass of {self.steps} steps",
                f"at least one of the steps 0 to {self.steps - 1}",
            )
        if len(inside) < len(named):
            warnings.warn(
                f"the intervention at {item.site} names steps {named.start} to {named.stop - 1}; "
                f"the pass ends with step {self.steps - 1}, so it changes {len(inside)} of "
                f"{len(named)} steps",
                stacklevel=5,
            )

    def _check_cross_attention(self, item: Intervention) -> None:
        """Without a prompt cross-attention adds zeros, which these two leave as they are."""
        reads_prompt = "conditional" in self.halves and item.half != "unconditional"
        if item.change in ("scale", "project_out") and not reads_prompt:
            raise _nothing(
                item,
                f"{item.change!r} of the zeros that cross-attention adds without a prompt",
                "a pass with prompts, or another change",
            )


def _nothing(item: Intervention, found: str, expected: str) -> ModelError:
    return ModelError(
        f"the intervention at {item.site} would change nothing", found=found, expected=expected
    )
