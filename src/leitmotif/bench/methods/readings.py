"""Pieces and both of their donors, read once, for the methods that need residuals."""

from collections.abc import Sequence

from leitmotif.bench.method import residual_sites
from leitmotif.causal.experiment.events import Event
from leitmotif.causal.interchange.reader import EventReader
from leitmotif.errors import ProbeError
from leitmotif.musicgen.protocol import MusicModel


def readings_of(model: MusicModel, pieces: Sequence[Event]) -> EventReader:
    """Read pieces, counterfactuals and controls, at all residual sites.

    Raises ProbeError for a piece without a control, and ModelError.
    """
    controls = sum(piece.control is not None for piece in pieces)
    if controls < len(pieces):
        raise ProbeError(
            "a piece has no control",
            found=f"controls of {controls} of {len(pieces)} pieces",
            expected="a world whose cue decides two slots or more",
        )
    return EventReader(model, pieces, residual_sites(model))
