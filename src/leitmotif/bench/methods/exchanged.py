"""Whole residuals exchanged: this project's method, and activation patching without its guards."""

from collections.abc import Iterable, Sequence

from leitmotif.bench.method import (
    BIN_SECONDS,
    CLAIMS,
    MINIMUM_SECONDS,
    MethodFinding,
    lead_bins,
    residual_sites,
)
from leitmotif.causal.experiment.events import Event
from leitmotif.causal.interchange.exchange import Interchange
from leitmotif.causal.interchange.reader import StepWindow
from leitmotif.claims import is_above_zero
from leitmotif.musicgen.protocol import MusicModel
from leitmotif.tables.interchange import InterchangeRow

_MODEL = "model"
"""What rows call the only model there is."""


def interchange(model: MusicModel, pieces: Sequence[Event]) -> MethodFinding:
    """This project's method: residuals ahead of the event, exchanged with both donors' (rule 6).

    The event has to move both ways and further than with the control, see ``leitmotif.claims``.
    """
    rows = _rows(model, pieces, controlled=True)
    leads = CLAIMS.leads(rows, model=_MODEL)
    return MethodFinding(bool(leads), max(leads.values(), default=None), strengths_of(rows))


def patching(model: MusicModel, pieces: Sequence[Event]) -> MethodFinding:
    """Plain activation patching: any effect above 0, with no control and no correction."""
    rows = _rows(model, pieces, controlled=False)
    leads = [row.after for row in rows if row.window == "ahead" and is_above_zero(row.nats)]
    lead = max((after for after in leads if after is not None), default=None)
    return MethodFinding(lead is not None, lead, strengths_of(rows))


def strengths_of(rows: Iterable[InterchangeRow]) -> dict[tuple[str, float], float]:
    """A map of the effects, in nats, of exchanging one bin of one site."""
    return {
        (row.site, row.after): row.nats.mean
        for row in rows
        if row.window == "between"
        and row.donor == "counterfactual"
        and row.slot is None
        and row.site is not None
        and row.after is not None
    }


def far_windows(pieces: Sequence[Event], frame_rate: float) -> list[StepWindow]:
    """All steps more than some lead ahead, for the leads of which foresight may be claimed."""
    bins = lead_bins(pieces, frame_rate)
    return [StepWindow("ahead", after) for after in bins if after >= MINIMUM_SECONDS]


def bin_windows(pieces: Sequence[Event], frame_rate: float) -> list[StepWindow]:
    """The bins of a map."""
    bins = lead_bins(pieces, frame_rate)
    return [StepWindow("between", after, round(after + BIN_SECONDS, 6)) for after in bins]


def _rows(model: MusicModel, pieces: Sequence[Event], *, controlled: bool) -> list[InterchangeRow]:
    far = far_windows(pieces, model.frame_rate)
    exchange = Interchange(
        load=lambda: model,
        sites=residual_sites(model),
        windows=[*bin_windows(pieces, model.frame_rate), *far],
        controlled=far if controlled else [],
        rows=len(pieces),  # one batch, read in this process
    )
    return exchange.run(pieces).rows(_MODEL, list(exchange.exchanges()))
