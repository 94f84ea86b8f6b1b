"""One model's pieces and conditions, as the stages that intervene share them."""

from collections.abc import Sequence
from pathlib import Path

from leitmotif.causal.candidates import Candidate, condition_names
from leitmotif.causal.conditions import Condition
from leitmotif.causal.findings import Finding, Measures
from leitmotif.causal.log import InterventionRow, row_of, write_audio
from leitmotif.causal.measures import Listening, Measured
from leitmotif.causal.pieces import Pieces, composed_pieces, recorded_pieces
from leitmotif.causal.runner import Continuing
from leitmotif.causal.sweep import Sweep
from leitmotif.causal.twins import shared_twins
from leitmotif.causal.verdict import Thresholds
from leitmotif.config import InterventionsParams, OrganismCorpus, Params
from leitmotif.files import read_table
from leitmotif.musicgen import Sampling
from leitmotif.musicgen.loading import shared_model
from leitmotif.progress import progress
from leitmotif.recurrence.settings import search_of
from leitmotif.stages import CLIPS, CORPUS, LABELS, WORK_CACHE
from leitmotif.stages.tracks import readable_tracks
from leitmotif.store.codes import CachedCodec
from leitmotif.tables.effects import EffectRow
from leitmotif.tables.labels import Label


class Study:
    """Continues pieces with one model under the conditions of candidates, and hears the clips."""

    def __init__(self, params: Params, name: str) -> None:
        self.params, self.settings, self.name = params, params.interventions, name
        own = name == params.model.name
        other = params.model.model_copy(update={"name": name, "revision": None, "watch": name})
        self.model_params = params.model if own else other
        self.model = shared_model(self.model_params)
        self.pieces = self._pieces()
        self.how = _continuing(self.settings)
        self.baseline = Condition("baseline")
        self.counterfactual = (
            Condition("counterfactual", source=self.pieces.source) if self.pieces.known else None
        )
        self.measured: list[Measured] = []
        self.names = {one: str(one.kind) for one in self._untouched}
        """Of the conditions that were run."""

    @property
    def thresholds(self) -> Thresholds:
        """Where verdicts draw their lines."""
        return Thresholds(
            minimum_seconds=self.params.probes.minimum_seconds,
            alpha=self.params.probes.alpha,
            similarity=self.settings.min_similarity,
        )

    @property
    def _untouched(self) -> list[Condition]:
        return [self.baseline, *([self.counterfactual] if self.counterfactual else [])]

    def run(self, candidates: Sequence[Candidate]) -> Measures:
        """Make the clips of all conditions, or take them from the work cache, and measure them."""
        for candidate in candidates:
            self.names |= condition_names(candidate, self.pieces)
        conditions = [*self._untouched]
        conditions += [one for candidate in candidates for one in candidate.conditions]
        conditions = list(dict.fromkeys(conditions))  # candidates may share their controls
        sweep = Sweep(
            model=self.model_params,
            judge=self.params.judge,
            how=self.how,
            listening=self._listening(),
            cache=WORK_CACHE / "clips",
            rows=self.settings.rows,
            kept=self._kept,
        )
        measured = sweep.run(self.pieces.prefixes, conditions)
        total = len(conditions) * len(self.pieces.prefixes) * self.settings.seeds
        shown = progress(measured, f"interventions in {Path(self.name).name}", total=total)
        self.measured = list(shown)
        return Measures(self.pieces, self.measured)

    @property
    def _kept(self) -> frozenset[str]:
        """Tracks whose clips are kept as audio."""
        kept = self.pieces.pieces[: self.settings.kept_tracks]
        return frozenset(piece.prefix.track_id for piece in kept)

    def effects(self, measures: Measures, judged: Sequence[Finding]) -> list[EffectRow]:
        """What each condition did: baseline and counterfactual, then candidate by candidate."""
        tested = {one.tested for one in judged}
        conditions = [c for one in judged for c in one.candidate.conditions]
        return [
            measures.row(
                one, model=Path(self.name).name, name=self.names[one], tested=one in tested
            )
            for one in (*self._untouched, *conditions)
        ]

    def log(self, folder: Path) -> list[InterventionRow]:
        """Write the audio of the kept pieces below ``folder`` and return the lines of the log."""
        rows, written = [], set()
        for one in self.measured:
            file = None
            if one.samples is not None:
                # Clips that sound the same share a file.
                name = f"{one.audio_sha256[:16]}.wav"
                file = f"{CLIPS.name}/{name}"
                if name not in written:
                    write_audio(folder / name, one, self.model.sample_rate)
                    written.add(name)
            rows.append(
                row_of(
                    one,
                    self.how,
                    name=self.names[one.clip.condition],
                    model=self.name,
                    model_fingerprint=self.model.fingerprint,
                    sample_rate=self.model.sample_rate,
                    file=file,
                )
            )
        return rows

    def _pieces(self) -> Pieces:
        params, settings = self.params, self.settings
        codec = CachedCodec(self.model, WORK_CACHE)
        tracks = readable_tracks()
        if isinstance(params.corpus, OrganismCorpus):
            twins = shared_twins(CORPUS, Path(params.corpus.path))
            return composed_pieces(codec, tracks[: settings.tracks], CORPUS, twins)
        labels = read_table(LABELS, Label)
        labelled = {label.track_id for label in labels}
        return recorded_pieces(
            codec,
            [track for track in tracks if track.track_id in labelled][: settings.tracks],
            CORPUS,
            labels,
            seconds=settings.prefix_seconds,
            horizon=params.probes.minimum_seconds,
            prompt=params.activations.prompt == "tags",
        )

    def _listening(self) -> Listening:
        return Listening(
            search=search_of(self.params.proposals),
            motifs={piece.prefix.track_id: piece.motifs for piece in self.pieces.pieces},
            heard={
                piece.prefix.track_id: piece.heard
                for piece in self.pieces.pieces
                if piece.heard is not None
            },
            p=self.settings.p,
            min_score=self.settings.min_score,
        )


def _continuing(settings: InterventionsParams) -> Continuing:
    return Continuing(
        seconds=settings.seconds,
        seeds=tuple(range(settings.seed, settings.seed + settings.seeds)),
        sampling=Sampling(temperature=settings.temperature, top_k=settings.top_k),
        guidance_scale=settings.guidance_scale,
    )
