"""One model's pieces, continued under the conditions of candidates: made, heard and judged."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from leitmotif.causal.experiment.candidates import Candidate, condition_names
from leitmotif.causal.experiment.conditions import Condition
from leitmotif.causal.experiment.events import balanced
from leitmotif.causal.experiment.findings import Finding, MeasuresByCondition, judge_candidate
from leitmotif.causal.experiment.hearing import ListeningSettings
from leitmotif.causal.experiment.log import row_of, write_audio
from leitmotif.causal.experiment.measures import MeasuredClip
from leitmotif.causal.experiment.memory import continuations_holding
from leitmotif.causal.experiment.outlook import OpeningCounts, outlook
from leitmotif.causal.experiment.pieces import Pieces, composed_pieces, recordings_with_motifs
from leitmotif.causal.experiment.resampled import OpenedPrefix, Recorded, Resampling
from leitmotif.causal.experiment.runner import ContinuationSettings
from leitmotif.causal.experiment.sweep import Sweep
from leitmotif.causal.experiment.twins import shared_twins
from leitmotif.causal.verdict import VerdictRules, corrected
from leitmotif.claims import LEAST_EACH_WAY, Claims
from leitmotif.config import InterventionsParams, OrganismCorpus, Params
from leitmotif.errors import counted
from leitmotif.musicgen import Sampling
from leitmotif.musicgen.loading import shared_model
from leitmotif.musicgen.memory import Footprint, batches_on
from leitmotif.recurrence.search.settings import search_of
from leitmotif.sae.autoencoder.registry import registered
from leitmotif.store.cache.codes import CachedCodec
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.effects import EffectRow, VerdictRow
from leitmotif.tables.interventions import InterventionRow
from leitmotif.tables.labels import Label
from leitmotif.work.budget import Batches
from leitmotif.work.progress import progress


class Study:
    """Continues pieces with one model under the conditions of candidates, and hears the clips.

    Parameters
    ----------
    params : all settings.
    name : folder or hub id of the model: the one under study, or one that it is compared with.
    tracks : manifest rows of readable tracks.
    labels : verified recurrences; composed music has its score instead.
    audio_root : folder to which the tracks' paths are relative.
    cache : folder of the work cache.

    The pieces of recordings are made by the model (``resampled``). Says which recordings have none.
    Raises ModelError, AudioError, CorpusError, ConfigError, and ProbeError where no recording has a
    verified motif at its beginning.
    """

    def __init__(
        self,
        params: Params,
        name: str,
        *,
        tracks: Sequence[ManifestTrack],
        labels: Sequence[Label],
        audio_root: Path,
        cache: Path,
    ) -> None:
        self.params, self.settings, self.name = params, params.interventions, name
        self.model_params = params.model.beside(name)
        self.model = shared_model(self.model_params)
        self.codec = CachedCodec(self.model, cache)
        self.continuation = _continuing(self.settings)
        self.cache = cache
        self.claims = Claims.of(params.probes)
        self.opened: Mapping[str, Sequence[OpenedPrefix]] = {}
        """The openings of recordings, by track; none of composed music."""
        if isinstance(params.corpus, OrganismCorpus):
            self.pieces = self._composed(params.corpus, tracks, audio_root)
        else:
            self.pieces = self._recorded(tracks, labels, audio_root)
        self.baseline = Condition("baseline")
        self.counterfactual = Condition("counterfactual", source=self.pieces.source)
        shift = round(self.settings.position_shift_seconds * self.model.frame_rate)
        self.shifted = Condition("position_shift", shift=shift) if shift else None

    def thresholds(self, *, tried: int) -> VerdictRules:
        """Where verdicts draw their lines, with so many candidates tried."""
        settings = self.settings
        return VerdictRules(
            self.claims,
            tried,
            settings.min_similarity,
            settings.min_log_likelihood,
            settings.seeds,
        )

    @property
    def untouched(self) -> list[Condition]:
        """Conditions that are of no candidate, and change no activation."""
        shifted = [] if self.shifted is None else [self.shifted]
        return [self.baseline, self.counterfactual, *shifted]

    def run(self, candidates: Sequence[Candidate], *, tried: int) -> "StudyClips":
        """Make the clips of all conditions, or take them from the work cache, and measure them.

        ``tried`` is the family of the effects' p-values. Says so beforehand if there are too few
        pieces for any effect to count.
        """
        if notice := too_few_pieces(self.pieces.towards, tried=tried, claims=self.claims):
            print(f"{Path(self.name).name}: {notice}", file=sys.stderr)
        names = {condition: str(condition.kind) for condition in self.untouched}
        for candidate in candidates:
            names |= condition_names(candidate)
        conditions = [*self.untouched]
        conditions += [c for candidate in candidates for c in candidate.conditions]
        conditions = list(dict.fromkeys(conditions))  # candidates may share their controls
        sweep = replace(
            self._sweep,
            listening=replace(
                self._sweep.listening,
                motifs={piece.prefix.track_id: piece.motifs for piece in self.pieces.pieces},
                heard={
                    piece.prefix.track_id: piece.heard
                    for piece in self.pieces.pieces
                    if piece.heard is not None
                },
            ),
            kept=self._kept,
        )
        measured = sweep.run(self.pieces.prefixes, conditions)
        treated = sum(c.treats(prefix) for prefix in self.pieces.prefixes for c in conditions)
        total = treated * self.settings.seeds
        shown = progress(measured, f"interventions in {Path(self.name).name}", total=total)
        return StudyClips(self, names, list(shown))

    @property
    def _kept(self) -> frozenset[str]:
        """Tracks whose clips are kept as audio."""
        kept = self.pieces.pieces[: self.settings.kept_tracks]
        return frozenset(piece.prefix.track_id for piece in kept)

    @cached_property
    def _batches(self) -> Batches:
        """Rows and processes, by the memory that may be used."""
        hooks = registered(self.params.sae.hooks)
        holding = continuations_holding(self.params, Footprint.of(self.model), hooks)
        return batches_on(self.model, self.params, "interventions", holding)

    @property
    def _sweep(self) -> Sweep:
        """Continues and hears pieces, of which it does not yet know the motifs."""
        settings = self.settings
        listening = ListeningSettings(
            search=search_of(self.params.proposals),
            motifs={},
            p=settings.p,
            min_score=settings.min_score,
        )
        return Sweep(
            load=partial(shared_model, self.model_params),
            judge=self.params.judge,
            continuation=self.continuation,
            listening=listening,
            cache=self.cache / "clips",
            rows=self._batches.rows,
            workers=self._batches.workers,
            kept=frozenset(),
        )

    def _composed(
        self, corpus: OrganismCorpus, tracks: Sequence[ManifestTrack], audio_root: Path
    ) -> Pieces:
        twins = shared_twins(audio_root, Path(corpus.path), self.cache)
        return composed_pieces(
            self.model,
            balanced(tracks, twins.decisions, self.settings.tracks),
            audio_root,
            twins,
            horizon=self.claims.claimed.after,
            codec=self.codec,
        )

    def _recorded(
        self, tracks: Sequence[ManifestTrack], labels: Sequence[Label], audio_root: Path
    ) -> Pieces:
        labelled, settings = {label.track_id for label in labels}, self.settings
        resampling = Resampling(
            Path(self.name).name,
            self._sweep,
            settings,
            frame_rate=self.model.frame_rate,
            sample_rate=self.model.sample_rate,
            delay=max(self.model.delays),
            horizon=self.claims.claimed.after,
        )
        recordings = recordings_with_motifs(
            self.codec,
            [track for track in tracks if track.track_id in labelled],
            audio_root,
            labels,
            most=settings.tracks,
            seconds=settings.prefix_seconds,
            longest=resampling.heard_seconds,
            prompt=self.params.activations.prompt == "tags",
        )
        needed = self.claims.pieces_needed(tried=len(self.params.activations.sites))

        def tell(tried: OpeningCounts) -> None:
            said = outlook(tried, len(recordings), needed=needed)
            print(f"{Path(self.name).name}: {said}", file=sys.stderr, flush=True)

        recorded = [Recorded(prefix, motifs) for prefix, motifs in recordings]
        self.opened = resampling.opened(recorded, tell)
        pieces = resampling.pieces(recorded, self.opened)
        left_out = [row for row in pieces.openings if row.towards is None]
        if left_out:
            few = [
                f"{row.track_id} (the motif returns after {row.returning} of {row.openings} "
                "openings)"
                for row in left_out[:3]
            ]
            print(
                f"{Path(self.name).name}: {counted(len(left_out), 'recording')} of "
                f"{len(recordings)} cannot show an effect, such as {'; '.join(few)}",
                file=sys.stderr,
            )
        return pieces


@dataclass(frozen=True)
class StudyClips:
    """The clips of a study, measured."""

    study: Study
    names: Mapping[Condition, str]
    """Names of the conditions that were run."""
    clips: Sequence[MeasuredClip]

    @cached_property
    def measures(self) -> MeasuresByCondition:
        """By condition."""
        return MeasuresByCondition(self.study.pieces, self.study.baseline, self.clips)

    def judged(
        self,
        candidates: Sequence[Candidate],
        decodable: Mapping[str, Sequence[float]],
        leads: Mapping[str, float] | None = None,
        recalled: bool | None = None,
    ) -> list[Finding]:
        """Each candidate, judged; all of them are the family of the effects' p-values.

        ``decodable`` has the seconds ahead at which each is decodable, by the candidate's name.
        ``leads`` has the lead of every site that carries the event, and ``recalled`` says whether
        events depend on what decides them while all later tokens stay; None: no residuals were
        exchanged.
        """
        measures, study = self.measures, self.study
        thresholds = study.thresholds(tried=len(candidates))
        findings = [
            judge_candidate(
                candidate,
                measures,
                decodable[candidate.name],
                study.counterfactual,
                thresholds,
                None if candidate.features else leads,
                recalled,
            )
            for candidate in candidates
        ]
        rules = corrected([finding.evidence for finding in findings], thresholds)
        return [replace(finding, rules=of) for finding, of in zip(findings, rules, strict=True)]

    def effects(self, findings: Sequence[Finding]) -> list[EffectRow]:
        """What each condition did: those of no candidate, then candidate by candidate."""
        measures = self.measures
        tested = {finding.tested for finding in findings}
        conditions = [c for finding in findings for c in finding.candidate.conditions]
        return [
            measures.row(
                condition,
                model=Path(self.study.name).name,
                name=self.names[condition],
                tested=condition in tested,
            )
            for condition in (*self.study.untouched, *conditions)
        ]

    def verdicts(self, findings: Sequence[Finding]) -> list[VerdictRow]:
        """The rows of data/verdicts.jsonl."""
        return [
            finding.row(
                model=Path(self.study.name).name,
                exploratory=self.study.params.probes.exploratory,
            )
            for finding in findings
        ]

    def log(self, folder: Path) -> list[InterventionRow]:
        """Write the audio of the kept pieces into ``folder`` and return the lines of the log.

        Clips that sound the same share a file. Raises StoreError on a full disk.
        """
        study, rows, written = self.study, [], set()
        for clip in self.clips:
            name = None
            if clip.samples is not None:
                name = f"{clip.audio_sha256[:16]}.wav"
                if name not in written:
                    write_audio(folder / name, clip, study.model.sample_rate)
                    written.add(name)
            rows.append(
                row_of(
                    clip,
                    study.continuation,
                    name=self.names[clip.clip.condition],
                    model=study.name,
                    model_fingerprint=study.model.fingerprint,
                    sample_rate=study.model.sample_rate,
                    audio=name,
                )
            )
        return rows


def _continuing(settings: InterventionsParams) -> ContinuationSettings:
    return ContinuationSettings(
        seconds=settings.seconds,
        seeds=tuple(range(settings.seed, settings.seed + settings.seeds)),
        sampling=Sampling(temperature=settings.temperature, top_k=settings.top_k),
        guidance_scale=settings.guidance_scale,
    )


def too_few_pieces(towards: Mapping[str, int], *, tried: int, claims: Claims) -> str | None:
    """What to say if no effect can count in these pieces; None if one can.

    ``towards`` has for each piece 1 if it lacks the event, and -1 if it has it.
    """
    gaining = sum(way > 0 for way in towards.values())
    losing = len(towards) - gaining
    if claims.can_show(gaining=gaining, losing=losing, tried=tried):
        return None
    return (
        f"{counted(len(towards), 'piece')}, {losing} in which the motif returns and {gaining} in "
        "which it does not, cannot make an effect count, whatever it is: "
        f"{claims.pieces_needed(tried=tried)} are needed for {counted(tried, 'candidate')} at "
        f"probes.alpha {claims.alpha:g}, and {LEAST_EACH_WAY} of each kind"
    )
