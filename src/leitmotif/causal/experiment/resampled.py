"""Pieces of recordings: a counterfactual for music that has none, made by the model itself.

Of a recording nobody knows what would have to be otherwise for its motif not to return. The model
knows. It continues one prefix in several ways, the *openings*, and each opening is continued a few
times more. Where the motif returns after one opening and not after another, these two are to each
other what a composed piece is to its twin: the same prefix, and one of them says the opposite of
the event. A third opening after which the same happens as after the first is the control: it
differs as much and says nothing of the event.

::

    prefix | opening | treated | at least the horizon | a return counts
           |  A: the piece     ^ residuals come from the run after B, or after C
           |  B: counterfactual
           |  C: control

Nothing that chooses the openings enters an effect: effects are measured on continuations with noise
of their own. Half of the pieces have the event and half lack it, as far as the openings allow.
Of the openings that say the opposite, and of those that say the same, the two are taken that agree
with the piece's own in as many tokens: donors are alike in texture but for what they say.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from torch import Tensor

from leitmotif.causal.experiment.conditions import Condition
from leitmotif.causal.experiment.hearing import Returns
from leitmotif.causal.experiment.outlook import OpeningCounts, in_doubling_parts
from leitmotif.causal.experiment.pieces import AHEAD, CONTROL, COUNTERFACTUAL, Piece, Pieces
from leitmotif.causal.experiment.prefixes import Opening, Prefix
from leitmotif.causal.experiment.sweep import Sweep
from leitmotif.config import InterventionsParams
from leitmotif.errors import ConfigError
from leitmotif.recurrence.continuation import recurrence_rate
from leitmotif.tables.base import Span
from leitmotif.tables.openings import OpenedRecording
from leitmotif.work.progress import progress

FIRST_SEED = 100_000
"""Of the openings; those of their trials follow. Measured continuations have smaller ones."""


@dataclass(frozen=True, eq=False)
class Recorded:
    """A recording's beginning, and the motifs that were verified in it."""

    prefix: Prefix
    motifs: Sequence[Span]
    """Motifs, in samples of the prefix."""


@dataclass(frozen=True, eq=False)
class OpeningTrial:
    """A continuation of an opening that could be heard."""

    codes: Tensor
    """[K, P + opening + T]."""
    returns: Returns

    @property
    def rate(self) -> float:
        """Share of the motifs that return."""
        return recurrence_rate(self.returns)


@dataclass(frozen=True, eq=False)
class OpenedPrefix:
    """One way in which a prefix goes on."""

    codes: Tensor
    """[K, P + opening]."""
    opening: Opening
    trials: Sequence[OpeningTrial]
    """At least one."""

    @property
    def rate(self) -> float:
        """Share of its trials in which the motif returned."""
        return sum(trial.rate for trial in self.trials) / len(self.trials)

    @property
    def returns(self) -> bool:
        """Whether the motif returns after it more often than not."""
        return self.rate > 0.5

    @property
    def undecided(self) -> bool:
        """Whether its trials say neither."""
        return self.rate == 0.5


@dataclass(frozen=True)
class Resampling:
    """Makes pieces of recordings.

    Parameters
    ----------
    model : name of the model's folder.
    sweep : continues and hears prefixes; its continuation is that of the experiment.
    settings : how many openings there are, how long they are, and how often each is tried.
    frame_rate : of the model, in Hz.
    sample_rate : of the model, in Hz.
    delay : steps by which the model's last codebook lags.
    horizon : distance of a claim in seconds.

    Raises ConfigError for a continuation in which no return is far enough ahead, for a treatment
    that ends before the opening is read, and for seeds of the experiment that the openings have
    too.
    """

    model: str
    sweep: Sweep
    settings: InterventionsParams
    frame_rate: float
    sample_rate: int
    delay: int
    horizon: float

    def __post_init__(self) -> None:
        self.settings.check_reach(self.horizon)
        if not self._treated(0):
            raise ConfigError(
                "the treatment ends before the opening is read",
                found=f"interventions.treated_seconds {self.settings.treated_seconds:g}",
                expected=f"more than {(self.delay + 1) / self.frame_rate:g} s: the last codebook "
                f"lags by {self.delay} steps",
            )
        last = self.settings.seed + self.settings.seeds - 1
        if last >= FIRST_SEED:
            raise ConfigError(
                "openings would have the noise of the continuations that are measured",
                found=f"seeds up to {last}",
                expected=f"below {FIRST_SEED}, where those of the openings begin",
                fix="lower interventions.seed",
            )

    def opened(
        self, recorded: Sequence[Recorded], tell: Callable[[OpeningCounts], None] = lambda _: None
    ) -> dict[str, list[OpenedPrefix]]:
        """The openings of each recording whose trials can be heard.

        ``tell`` hears what the openings say after the first few recordings, and whenever twice as
        many are tried, but for the last. Raises what ``Sweep.run`` does.
        """
        opened: dict[str, list[OpenedPrefix]] = {}
        for part in in_doubling_parts(recorded):
            opened |= self._tried(part, self._openings(part))
            if len(opened) < len(recorded):
                tell(OpeningCounts.of(_rows(self.model, opened)))
        return opened

    def pieces(
        self, recorded: Sequence[Recorded], opened: Mapping[str, Sequence[OpenedPrefix]]
    ) -> Pieces:
        """One piece for each recording whose openings differ in whether the motif returns.

        ``Pieces.openings`` has all of them.
        """
        rows = _rows(self.model, opened)
        towards = {row.track_id: row.towards for row in rows}
        pieces = [
            self._piece(item, opened[item.prefix.track_id], way)
            for item in recorded
            if (way := towards[item.prefix.track_id]) is not None
        ]
        return Pieces(pieces, COUNTERFACTUAL, CONTROL, rows)

    def _treated(self, opened: int) -> range:
        """Steps that have read all of so many frames, and are further ahead than the horizon.

        The last codebook lags: the first steps after an opening still read tokens of it, which say
        what it decides.
        """
        return range(opened + self.delay + 1, opened + self._treated_frames)

    @property
    def _treated_frames(self) -> int:
        return round(self.settings.treated_seconds * self.frame_rate)

    def _openings(self, recorded: Sequence[Recorded]) -> dict[str, list[tuple[Tensor, Opening]]]:
        """Codes [K, P + opening] of every usable opening of every recording."""
        seeds = range(FIRST_SEED, FIRST_SEED + self.settings.openings)
        prefixes = [item.prefix for item in recorded]
        usable: dict[str, list[tuple[Tensor, Opening]]] = {p.track_id: [] for p in prefixes}
        sweep = self._sweep_for(self.settings.opening_seconds, seeds, {})
        made = sweep.make(prefixes, [Condition("baseline")])
        for clip in progress(made, "openings", total=len(prefixes) * len(seeds)):
            if clip.finite:
                opening = Opening(clip.seed, clip.codes.shape[1] - clip.prefix_frames)
                usable[clip.prefix.track_id].append((clip.codes, opening))
        return usable

    def _tried(
        self,
        recorded: Sequence[Recorded],
        openings: Mapping[str, Sequence[tuple[Tensor, Opening]]],
    ) -> dict[str, list[OpenedPrefix]]:
        """How often the motif returns after each opening."""
        first = FIRST_SEED + self.settings.openings
        seeds = range(first, first + self.settings.opening_trials)
        tried, motifs, of_track = [], {}, {}
        for item in recorded:
            for codes, opening in openings[item.prefix.track_id]:
                name = f"{item.prefix.track_id} after {opening.seed}"
                tried.append(replace(item.prefix, track_id=name, codes=codes))
                motifs[name], of_track[name] = item.motifs, (item.prefix.track_id, codes, opening)
        trials: dict[str, list[OpeningTrial]] = {}
        sweep = self._sweep_for(self.settings.seconds, seeds, motifs)
        total = len(tried) * len(seeds)
        made = sweep.make(tried, [Condition("baseline")])
        clips = list(progress(made, "trials of openings", total=total))
        heard = progress(sweep.returns(clips), "trials that are heard", total=total)
        for clip, returns in zip(clips, heard, strict=True):
            if returns:
                trials.setdefault(clip.prefix.track_id, []).append(
                    OpeningTrial(clip.codes, returns)
                )
        opened: dict[str, list[OpenedPrefix]] = {item.prefix.track_id: [] for item in recorded}
        for name, (track, codes, opening) in of_track.items():
            if name in trials:
                opened[track].append(OpenedPrefix(codes, opening, trials[name]))
        return opened

    def _sweep_for(
        self, seconds: float, seeds: range, motifs: Mapping[str, Sequence[Span]]
    ) -> Sweep:
        return replace(
            self.sweep,
            continuation=replace(self.sweep.continuation, seconds=seconds, seeds=tuple(seeds)),
            listening=replace(
                self.sweep.listening,
                motifs=motifs,
                heard=dict.fromkeys(motifs, self._heard),
            ),
        )

    @property
    def heard_seconds(self) -> float:
        """How long a return could be."""
        return self.settings.seconds - self.settings.treated_seconds - self.horizon

    @property
    def _heard(self) -> Span:
        """Samples of the continuation in which a return counts: from the horizon on."""
        first = self.settings.treated_seconds + self.horizon
        return Span(
            start_sample=round(first * self.sample_rate),
            samples=round(self.heard_seconds * self.sample_rate),
        )

    def _piece(self, item: Recorded, opened: Sequence[OpenedPrefix], towards: int) -> Piece:
        own, other, same = chosen(opened, returns=towards < 0)
        prefix = replace(
            item.prefix,
            codes=own.codes,
            sources={COUNTERFACTUAL: other.codes, CONTROL: same.codes},
            tracks={
                COUNTERFACTUAL: other.opening.name,
                CONTROL: same.opening.name,
            },
            windows={AHEAD: self._treated(own.codes.shape[1])},
            opening=own.opening,
        )
        return Piece(prefix, item.motifs, self._heard, towards)


def _can_be(decided: Sequence[bool], returns: bool) -> bool:
    """Whether there are two openings of a kind, and one of the other."""
    return decided.count(returns) >= 2 and decided.count(not returns) >= 1


def _rows(model: str, opened: Mapping[str, Sequence[OpenedPrefix]]) -> list[OpenedRecording]:
    """What the openings of each recording say, and the kind of its piece, if it can be one."""
    decided = {name: decided_by(ways) for name, ways in opened.items()}
    returns = _balanced(
        {
            name: [has for has in (True, False) if _can_be(says, has)]
            for name, says in decided.items()
        }
    )
    return [
        OpenedRecording(
            model=model,
            track_id=name,
            openings=len(says),
            returning=sum(says),
            towards=None if name not in returns else -1 if returns[name] else 1,
        )
        for name, says in decided.items()
    ]


def decided_by(opened: Sequence[OpenedPrefix]) -> list[bool]:
    """Whether the motif returns, for each opening that says so."""
    return [way.returns for way in opened if not way.undecided]


def _balanced(possible: Mapping[str, Sequence[bool]]) -> dict[str, bool]:
    """Whether the motif returns in each piece: half and half, as far as can be."""
    chosen = {name: kinds[0] for name, kinds in possible.items() if len(kinds) == 1}
    for name, kinds in possible.items():
        if len(kinds) > 1:
            chosen[name] = 2 * sum(chosen.values()) <= len(chosen)
    return chosen


def chosen(
    opened: Sequence[OpenedPrefix], returns: bool
) -> tuple[OpenedPrefix, OpenedPrefix, OpenedPrefix]:
    """The surest opening of a kind, its counterfactual and its control."""
    alike = [way for way in opened if way.returns == returns and not way.undecided]
    others = [way for way in opened if way.returns != returns and not way.undecided]
    own = max(alike, key=lambda way: abs(way.rate - 0.5))
    controls = [way for way in alike if way is not own]

    def difference(pair: tuple[OpenedPrefix, OpenedPrefix]) -> tuple[float, float]:
        sureness = sum(abs(way.rate - 0.5) for way in pair)
        return -sureness, abs(_agreement(own, pair[0]) - _agreement(own, pair[1]))

    other, same = min(product(others, controls), key=difference)
    return own, other, same


def _agreement(first: OpenedPrefix, second: OpenedPrefix) -> float:
    """Share of tokens of their openings in which two prefixes agree."""
    frames = first.opening.frames
    return float((first.codes[:, -frames:] == second.codes[:, -frames:]).cpu().double().mean())
