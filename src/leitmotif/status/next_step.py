"""The next command, why it is next, and how long it will take."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from leitmotif.causal.experiment.outlook import FIRST, beforehand
from leitmotif.claims import Claims
from leitmotif.config import Params
from leitmotif.config.probes import LEAST_FOLDS
from leitmotif.errors import LeitmotifError, counted
from leitmotif.feasibility.funnel import Folds, folds_of, readable
from leitmotif.feasibility.labelled import needed_tracks
from leitmotif.feasibility.pieces import continuable
from leitmotif.feasibility.ways import best_way
from leitmotif.files.restoring import has_remote
from leitmotif.pipeline.durations import Durations, as_time, sources_of
from leitmotif.probe.panel.panel import TRACKS_PER_FOLD
from leitmotif.review.index_rows import Standing
from leitmotif.review.queue import review_progress
from leitmotif.status.material import StatusMaterial
from leitmotif.status.stages import waiting
from leitmotif.tables.decisions import Decision
from leitmotif.timing.windows import end_seconds

UNKNOWN_TIME = "how long is not known here yet"


@dataclass(frozen=True)
class NextStep:
    """What to do now."""

    command: str
    """Command to type; or, where a person has to act first, what to do."""
    why: str
    time: str = ""
    """Such as ``about 3 min (as last time)``; empty where it takes no time worth naming."""
    advice: tuple[str, ...] = ()
    """What else is worth knowing before that, a line each."""

    def __str__(self) -> str:
        """One line."""
        return f"{self.command} ({'; '.join(filter(None, [self.why, self.time]))})"


def next_step(material: StatusMaterial, root: Path = Path()) -> NextStep:
    """The next step of what ``read_material`` read at ``root``."""
    return (
        _unset(material, root)
        or _people(material, root)
        or _repro(material, root, "runs what is outdated, or was not run here yet")
        or NextStep("leitmotif results", "all stages are done")
    )


def _unset(material: StatusMaterial, root: Path) -> NextStep | None:
    """What is missing before any stage can run."""
    params, problems = material.params, material.problems
    if params is None and material.has_params:
        return NextStep("mend params.yaml", problems[0] if problems else "it cannot be read")
    if params is None and not (root / "presets").is_dir():
        return NextStep("cd REPOSITORY", "neither params.yaml nor presets are here")
    if params is None:
        return NextStep("leitmotif use", "there are no settings; it lists the presets")
    if not material.stages:
        return NextStep("cd REPOSITORY", "there is no dvc.yaml here with stages")
    if params.corpus.source == "folder" and not material.files:
        problem = "is no folder" if material.files is None else "holds no recording"
        why = f"corpus.path {params.corpus.path} {problem}; PRESET is the one in use"
        return NextStep("leitmotif use PRESET --set corpus.path=FOLDER", why)
    return None


def _people(material: StatusMaterial, root: Path) -> NextStep | None:
    """What is missing until people's decisions suffice; None where they do, or decide nothing."""
    params = material.params
    if params is None or params.labels.source != "decisions":
        return None
    if material.proposals is None or material.manifest is None:
        what = "finds and measures the recordings, and proposes where motifs return"
        needed, given = needed_tracks(params), material.files
        if given is not None and given < needed:
            what += f"; the probes need {needed} tracks, and {given} {_are(given)} given"
        return _repro(material, root, what, goal="proposals")
    folds = folds_of(material)
    return None if folds is None else _deciding(material, folds, params)


def _deciding(material: StatusMaterial, folds: Folds, params: Params) -> NextStep | None:
    if folds.possible is not None and folds.possible < folds.needed:
        return _too_few(material, folds, folds.possible, params)
    enough = folds.usable is not None and folds.usable >= folds.needed
    left = _pending(material)
    if left and not (enough and params.probes.exploratory):
        return _review(material, left, folds)
    if folds.usable is not None and not enough:
        unheard = sum(not row.known for row in material.coverage or [])
        if unheard:
            return _listen(unheard, folds)
        return _undecided(material, folds, folds.usable, params)
    return None


def _repro(material: StatusMaterial, root: Path, what: str, goal: str = "") -> NextStep | None:
    names = waiting(material.states, material.stages, goal)
    if not names:
        return None
    if not goal and has_remote(root) and all(material.states[n] == "not here" for n in names):
        return NextStep("dvc pull", "takes the outputs that are not here from the remote")
    command = f"dvc repro {goal}".rstrip()
    return NextStep(command, what, duration_of(material, names, root), _openings(material, names))


def _openings(material: StatusMaterial, names: Sequence[str]) -> tuple[str, ...]:
    """What the model has to do with recordings; empty where it will not be asked, or was."""
    params, tracks = material.params, readable(material)
    if "interventions" not in names or params is None or params.corpus.source == "organism":
        return ()
    if tracks is None or material.labels is None:
        return ()
    recordings = continuable(params, tracks, material.labels)
    needed = Claims.of(params.probes).pieces_needed(tried=len(params.activations.sites))
    if recordings < needed:
        return (
            f"no effect can count: {counted(recordings, 'recording')} can be continued, and "
            f"{needed} are needed",
        )
    words = beforehand(recordings, params.interventions.openings, needed=needed)
    later = f"; after {FIRST} the stage interventions says what to expect" * (recordings > FIRST)
    return (f"of {recordings} recordings to continue, {words}{later}",)


def duration_of(material: StatusMaterial, names: Sequence[str], root: Path = Path()) -> str:
    """How long these stages take, as far as that is known, and how that is known."""
    if material.params is None:
        return UNKNOWN_TIME
    try:
        durations = Durations(material.params, root)
        known = {name: duration for name in names if (duration := durations.of(name))}
    except (LeitmotifError, KeyError, TypeError):  # a benchmark or preset that is damaged
        known = {}
    if not known:
        return UNKNOWN_TIME
    seconds = sum(duration.seconds for duration in known.values())
    missing = [name for name in names if name not in known]
    start = "more than" if missing else "about"
    return f"{start} {as_time(seconds)}, {sources_of(known.values())}"


def _too_few(material: StatusMaterial, folds: Folds, have: int, params: Params) -> NextStep:
    """Before anybody labels: tracks that cannot suffice even if all are decided."""
    return NextStep(
        _more(folds.needed - have, folds, params),
        f"the probes need {folds.needed} tracks: {have} {_are(have)} long enough",
        advice=_ways(material, folds, params),
    )


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _undecided(material: StatusMaterial, folds: Folds, have: int, params: Params) -> NextStep:
    """Everything is decided and listened to, and still too few tracks can be used."""
    return NextStep(
        _more(folds.needed - have, folds, params),
        f"all proposals are decided and something is known of every track, but of the "
        f"{folds.needed} tracks that the probes need only {have} are usable at every horizon",
        advice=_ways(material, folds, params),
    )


def _more(lacking: int, folds: Folds, params: Params) -> str:
    length = f"of at least {folds.seconds:.1f} s"
    if params.corpus.source == "folder":
        what = f"add {counted(lacking, 'recording')} or more {length}"
    else:
        what = f"use {counted(lacking, 'track')} more {length} (manifest.tracks, corpus.shards)"
    return f"{what}, then dvc repro proposals"


def _ways(material: StatusMaterial, folds: Folds, params: Params) -> tuple[str, ...]:
    """Settings that ask for less: the nearest that would do, and ``exploratory``."""
    ends = [end_seconds(track.windows) for track in readable(material) or []]
    way = best_way(params, ends, timing=material.timing)
    lines = []
    if way is None:
        lines.append("no other folds or horizons would do with the tracks that are here")
    elif way.settings:
        lines.append(f"or set {way}")
    long, least = folds.long_enough or 0, LEAST_FOLDS * TRACKS_PER_FOLD
    if not params.probes.exploratory and long >= least:
        fewer = " with 3 folds" if long < folds.needed else ""
        lines.append(
            f"or probes.exploratory: true{fewer}, which uses unknown tracks and marks all results"
        )
    return tuple(lines)


def _pending(material: StatusMaterial) -> int:
    return material.outcomes.get("pending", 0) + material.outcomes.get("disagreed", 0)


def _review(material: StatusMaterial, left: int, folds: Folds | None) -> NextStep:
    # Imported annotations are decided by the hundred in a second: nobody's pace.
    by_ear = [_short(decision) for decision in material.decisions if decision.imported is None]
    pace = review_progress([], [], by_ear).per_minute
    time = f"about {as_time(60 * left / pace)} at the pace so far" if pace else UNKNOWN_TIME
    advice = []
    if folds is not None and folds.usable is not None:
        enough = folds.usable >= folds.needed
        then = "`dvc repro` would run now; tracks with pending proposals stay out"
        lacking = f"`dvc repro` would stop at labels, as the probes need {folds.needed}"
        usable = f"{counted(folds.usable, 'track')} usable at every horizon so far"
        advice.append(f"{usable}: {then if enough else lacking}")
    return NextStep(
        "leitmotif review", f"{counted(left, 'proposal')} to decide", time, tuple(advice)
    )


def _listen(unheard: int, folds: Folds) -> NextStep:
    """Deciding proposals makes no absence known: what was not proposed may return too."""
    return NextStep(
        "leitmotif review",
        f"{counted(unheard, 'track')} to listen to: where nobody listened it is unknown what "
        "returns",
        advice=(
            f"{counted(folds.usable or 0, 'track')} usable at every horizon so far: `dvc repro` "
            f"would stop at labels, as the probes need {folds.needed}",
        ),
    )


def _short(decision: Decision) -> Standing:
    return Standing(
        reviewer=decision.reviewer,
        queue=decision.queue,
        pair=decision.pair,
        key=decision.key,
        verdict=decision.verdict,
        time=decision.time.timestamp(),
    )
