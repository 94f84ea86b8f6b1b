"""Pieces and their donors, read once: residuals at every site, and what a changed one leads to."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from leitmotif.causal.experiment.events import Event
from leitmotif.errors import ProbeError
from leitmotif.musicgen.protocol import MusicModel
from leitmotif.sites import split_site
from leitmotif.tables.interchange import Donor


class Readings:
    """What a model holds while it reads pieces, their counterfactuals and their controls.

    Raises ProbeError for a piece without a control, and ModelError.
    """

    def __init__(self, model: MusicModel, pieces: Sequence[Event], sites: Sequence[str]) -> None:
        self.pieces, self.sites = pieces, sites
        self._model, self._book = model, model.delays.index(0)
        self._frames = [piece.frame for piece in pieces]
        controls = [piece.control for piece in pieces if piece.control is not None]
        if len(controls) < len(pieces):
            raise ProbeError(
                "a piece has no control",
                found=f"controls of {len(controls)} of {len(pieces)} pieces",
                expected="a world whose cue decides two slots or more",
            )
        self.odds, self.own = self._pass([piece.codes for piece in pieces])
        read = {
            "counterfactual": self._pass([piece.counterfactual for piece in pieces]),
            "control": self._pass(controls),
        }
        self.donor_odds: Mapping[Donor, Tensor] = {
            "counterfactual": read["counterfactual"][0],
            "control": read["control"][0],
        }
        """[n] log-odds of the event in the donor itself, by donor; ``odds`` are the pieces' own."""
        self.donors: Mapping[Donor, Mapping[str, Tensor]] = {
            "counterfactual": read["counterfactual"][1],
            "control": read["control"][1],
        }
        """[n, S, d] by donor and site; ``own`` are the pieces' own."""

    @property
    def frame_rate(self) -> float:
        """Steps a second."""
        return self._model.frame_rate

    def odds_from(self, site: str, residual: Tensor, rows: Sequence[int]) -> Tensor:
        """Log-odds [len(rows)] of the rows' events, going on from residuals [len(rows), S, d].

        Gradients flow through it.
        """
        block, _ = split_site(site)
        frames = [self._frames[row] for row in rows]
        steps = sorted(set(frames))
        logits = self._model.logits_from(residual, block + 1, steps=steps)
        at = logits[range(len(rows)), [steps.index(frame) for frame in frames], self._book]
        return self._odds(at, rows)

    @torch.no_grad()
    def _pass(self, codes: Sequence[Tensor]) -> tuple[Tensor, Mapping[str, Tensor]]:
        longest = max(piece.shape[1] for piece in codes)
        # What stands after an event changes nothing before it.
        padded = [
            torch.cat([piece, piece[:, -1:].expand(-1, longest - piece.shape[1])], dim=1)
            for piece in codes
        ]
        logits, cache = self._model.run_with_cache(torch.stack(padded), sites=list(self.sites))
        assert logits is not None
        rows = range(len(codes))
        return self._odds(logits[rows, self._book, self._frames], rows), cache

    def _odds(self, logits: Tensor, rows: Sequence[int]) -> Tensor:
        has, lacks = zip(*(self.pieces[row].tokens for row in rows), strict=True)
        every = range(len(rows))
        return logits[every, has] - logits[every, lacks]
