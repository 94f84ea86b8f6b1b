"""What the settings ask for, before anybody labels: tracks, seconds, decisions, and the power."""

from dataclasses import dataclass

from leitmotif.causal.experiment.outlook import beforehand
from leitmotif.claims import LEAST_EACH_WAY, Claims
from leitmotif.config import Params
from leitmotif.config.auto import PREFIX, SECONDS
from leitmotif.errors import counted
from leitmotif.feasibility.funnel import readable
from leitmotif.feasibility.labelled import needed_tracks
from leitmotif.feasibility.lengths import seconds_needed
from leitmotif.feasibility.pieces import continuable
from leitmotif.feasibility.power import least_correlation
from leitmotif.feasibility.settled import best_lengths, in_words
from leitmotif.feasibility.ways import Way, best_way
from leitmotif.status.material import StatusMaterial
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.labels import Label
from leitmotif.tables.proposals import Proposal
from leitmotif.timing.windows import end_seconds


@dataclass(frozen=True)
class PossiblePieces:
    """How many recordings could be continued if every proposal were a verified motif."""

    tracks: int
    prefix_seconds: float
    seconds: float
    """Seconds of the continuation."""


@dataclass(frozen=True)
class Needs:
    """What the probes and the interventions need, and what is there for them."""

    tracks: int
    """Fewest that the probes can be fitted on."""
    seconds: float
    """Shortest track that has a row."""
    long_enough: int
    decisions: int
    """Pending in as many tracks as are needed, those with the fewest first."""
    listening: float
    """Seconds of these tracks that are searched, to listen to once."""
    correlation: float | None
    """Partial correlation that the long tracks find with a power of 80 %, if all are labelled; of
    fewer than ``tracks`` the probes find nothing, so it is then that of ``tracks``."""
    pieces: int
    """Fewest with which an effect can count."""
    continuable: PossiblePieces
    """Pieces with the present settings."""
    best: PossiblePieces
    """Pieces with the lengths of prefix and continuation that allow most."""
    way: Way | None
    """Settings nearest to the present ones for which the tracks are long enough; None: none."""

    @property
    def feasible(self) -> bool:
        """Whether the tracks are long enough as it is."""
        return self.long_enough >= self.tracks


def needs_of(material: StatusMaterial) -> Needs | None:
    """What is needed; None while there are no proposals, or where a score says everything."""
    params, tracks = material.params, readable(material)
    if params is None or params.labels.source != "decisions":
        return None
    if tracks is None or material.proposals is None:
        return None
    claims, ends = Claims.of(params.probes), [end_seconds(track.windows) for track in tracks]
    seconds = seconds_needed(params.probes, claims.horizons, material.timing)
    long = [track for track, end in zip(tracks, ends, strict=True) if end >= seconds - 1e-9]
    needed = needed_tracks(params)
    pending = {row.track_id: row.pending for row in material.coverage or []}
    first = sorted(long, key=lambda track: (pending.get(track.track_id, 0), track.track_id))
    first = first[:needed]
    motifs = [_as_label(proposal) for proposal in material.proposals]
    return Needs(
        tracks=needed,
        seconds=seconds,
        long_enough=len(long),
        decisions=sum(pending.get(track.track_id, 0) for track in first),
        listening=sum(end_seconds(track.windows) for track in first),
        correlation=least_correlation(max(len(long), needed), alpha=params.probes.alpha),
        pieces=claims.pieces_needed(tried=len(params.activations.sites)),
        continuable=_pieces(params, tracks, motifs),
        best=_pieces(best_lengths(params, tracks, motifs), tracks, motifs),
        way=best_way(params, ends, timing=material.timing),
    )


def searched_seconds(material: StatusMaterial) -> tuple[float, float] | None:
    """Seconds that are read and searched, and those of the recordings; None before the manifest."""
    tracks = readable(material)
    if not tracks:
        return None
    read = sum(min(track.seconds, end_seconds(track.windows)) for track in tracks)
    return read, sum(track.seconds for track in tracks)


def as_words(needs: Needs, params: Params) -> list[tuple[str, str]]:
    """The needs as a name and a sentence each."""
    are = "is" if needs.long_enough == 1 else "are"
    asked = f"{needs.tracks} tracks of at least {needs.seconds:.1f} s"
    here = f"{needs.long_enough} {are} here"
    power = ""
    if needs.correlation is not None:
        power = (
            f", which find a partial correlation of {needs.correlation:.2f} with 80 % power if all "
            "are labelled"
        )
    probes = f"{asked}; {here}{power}" if needs.feasible else f"{asked}{power}; {here}"
    minutes = max(1.0, needs.listening / 60)
    people = (
        f"{counted(needs.decisions, 'decision')} or more, and {minutes:.0f} min "
        f"of audio to listen to, in {counted(min(needs.tracks, needs.long_enough), 'track')}"
    )
    words = [("probes", probes), ("people", people), ("effects", _effects(needs, params))]
    if not needs.feasible:
        words.append(("would do", _would_do(needs)))
    return words


def _effects(needs: Needs, params: Params) -> str:
    now, best = needs.continuable, needs.best
    text = (
        f"{needs.pieces} pieces, {LEAST_EACH_WAY} with a return and {LEAST_EACH_WAY} without; "
        f"{counted(now.tracks, 'track')} at most, by proposals within {now.prefix_seconds:g} s"
    )
    if best.tracks > now.tracks and not {PREFIX, SECONDS} <= params.auto:
        text += (
            f", {best.tracks} with prefix_seconds={best.prefix_seconds:g} and "
            f"seconds={best.seconds:g}"
        )
    if now.tracks < needs.pieces:
        return text
    openings = params.interventions.openings
    return f"{text}; {beforehand(now.tracks, openings, needed=needs.pieces)}"


def _would_do(needs: Needs) -> str:
    if needs.way is None:
        lacking = needs.tracks - needs.long_enough
        return (
            f"nothing with these recordings; {counted(lacking, 'recording')} more of at least "
            f"{needs.seconds:.1f} s would"
        )
    return str(needs.way)


def _pieces(params: Params, tracks: list[ManifestTrack], motifs: list[Label]) -> PossiblePieces:
    lengths = params.interventions
    count = continuable(params, tracks, motifs)
    return PossiblePieces(count, lengths.prefix_seconds, lengths.seconds)


def _as_label(proposal: Proposal) -> Label:
    return Label(
        track_id=proposal.track_id,
        sample_rate=proposal.sample_rate,
        motif=proposal.motif,
        recurrence=proposal.recurrence,
        transposition=proposal.transposition,
        strength=1.0,
        source="decisions",
        reviewers=["nobody"],
        pair=None,
    )


def auto_words(material: StatusMaterial) -> str:
    """What the settings that are ``auto`` come to; empty where none is."""
    params = material.params
    if params is None or not params.auto:
        return ""
    sections = ("probes", "interventions")
    words = ", ".join(line for section in sections for line in in_words(params, section))
    return words if material.labels else f"{words} (planned, until labels settle them)"
