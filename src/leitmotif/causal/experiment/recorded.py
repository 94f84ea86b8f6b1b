"""Events of recordings, which are read and not sampled: trials of openings, as twins of each other.

A trial of an opening is a prefix, an opening and what the model put after it. In its
counterfactual the opening is one after which the opposite happens, and everything after it is the
trial's own, as a composed piece's twin has the same notes after another cue. So no token between
opening and event says anything of the other opening: what reaches the event from there, residuals
carried. The control has an opening after which the same happens.

Nobody knows which token of a recording shows its event, so the event is read as the log-odds of two
*endings*: what the trial itself does around the time of the return, against what a trial of the
other kind does at that time. That one goes on from an opening that is no donor: a donor would make
the texture of its own trials likely, return or not. So two openings of either kind are needed.
"""

from collections.abc import Iterator, Mapping, Sequence

import torch

from leitmotif.causal.experiment.events import Event
from leitmotif.causal.experiment.resampled import OpenedPrefix, OpeningTrial, chosen, decided_by
from leitmotif.musicgen.protocol import MusicModel, decoder_steps

MARGIN_SECONDS = 0.16
"""What is read begins so long before a return was heard to begin, and leads count from there; it
ends so long after the first frame from then on at which the endings differ."""


def recorded_events(
    model: MusicModel, opened: Mapping[str, Sequence[OpenedPrefix]]
) -> list[tuple[Event, Event]]:
    """Up to two events of each recording, one that the trial has and one that it lacks.

    Each is there twice, with the trial's own ending and with the other. Recordings without two
    openings of either kind have none.
    """
    return [
        event
        for track, ways in opened.items()
        if min(decided_by(ways).count(returns) for returns in (True, False)) >= 2
        for returns in (True, False)
        for event in _event(model, track, ways, returns)
    ]


def _event(
    model: MusicModel, track: str, ways: Sequence[OpenedPrefix], returns: bool
) -> Iterator[tuple[Event, Event]]:
    own, other, same = chosen(ways, returns=returns)
    others = [way for way in ways if way.returns != returns and not way.undecided]
    no_donor = next(way for way in others if way is not other)
    trial, opposite = _trial(own, returns), _trial(no_donor, not returns)
    start = round(_start(trial if returns else opposite) * model.frame_rate)
    margin, opening = round(MARGIN_SECONDS * model.frame_rate), own.codes.shape[1]
    frame, book = start - margin, model.delays.index(0)
    gap = range(decoder_steps(model, opening) + 1, frame)
    codes = [way.codes for way in (trial, opposite)]
    differs = (codes[0][book, start:] != codes[1][book, start:]).nonzero().flatten()
    if not gap or not len(differs):
        return
    stop = start + int(differs[0]) + margin
    begun, endings = codes[0][:, :frame], [ending[:, frame:stop] for ending in codes]
    read = [tuple(map(int, ending[book])) for ending in endings]
    whole, alternative = (
        Event(
            track_id=track,
            slot=0,
            returns=returns,
            codes=torch.cat([begun, ending], 1),
            counterfactual=torch.cat([other.codes, begun[:, opening:], ending], 1),
            control=torch.cat([same.codes, begun[:, opening:], ending], 1),
            onset=frame,
            frame=frame,
            tokens=(tokens[0], tokens[0]),
            gap=gap,
            deciding=range(opening - own.opening.frames + 1, gap.start),
            ending=tokens,
        )
        for ending, tokens in zip(endings, read, strict=True)
    )
    yield whole, alternative


def _trial(way: OpenedPrefix, returns: bool) -> OpeningTrial:
    """The first of an opening's trials that is as the most of them are."""
    return next(
        trial for trial in way.trials if (trial.rate > 0.5 if returns else trial.rate < 0.5)
    )


def _start(trial: OpeningTrial) -> float:
    """Seconds of the trial at which the motif returns that returns most alike."""
    found = [heard for heard in trial.returns if heard.recurs]
    start = max(found, key=lambda heard: heard.score).start
    assert start is not None
    return start
