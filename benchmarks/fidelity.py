"""From which similarity to its baseline on may damage be what moves a clip's recurrence?

    python -m benchmarks.fidelity        # after `make repro`, whose corpus it reads

Baselines of the model under study are damaged by known doses, each kind spread over the whole
continuation, so that none of it knows where the event is. Every damaged clip is heard as the stage
``interventions`` hears it, by the same engine and the same judge. The threshold is that of this
judge on this music: another judge needs its own, measured in its own folder (``--out``).

==========  =======================================================================================
noise       white noise, by the ratio of signal to noise in dB
dropped     frames of 20 ms are silent, by their share
tokens      tokens are drawn at random, by their share
bars        pairs of bars (0.64 s) change places, by their number
redrawn     no damage: the model goes on with other noise of its own
other cue   no damage: the model goes on from the counterfactual
==========  =======================================================================================

The rule, which was stated when six pieces had been heard. A kind's *onset* is its smallest dose
that takes returns away, by an interval above 0, as the verdict's first rule asks of an effect. A
kind is *visible* in a measure if the measure at its onset, rounded up, is below that of a redrawn
continuation (the low end of its interval): a threshold above that would call undamaged music
broken. The threshold is the highest of these values, so that visible damage lies below it from its
onset on. It was first rounded down, by which the onset itself passed. Measures are the similarity
of ``interventions.min_similarity``, and the change of a token's log-likelihood under the untouched
model in nats. Here that is of the tokens that the codec hears, damaged or not; in verdicts, of the
tokens that were generated. The pieces that give the threshold are not held back from verdicts.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks._report import RESULTS, machine
from leitmotif.audio.reading.samples import Samples
from leitmotif.causal.experiment.effects import ByTrack
from leitmotif.causal.experiment.findings import both_ways, effect_row
from leitmotif.causal.experiment.measures import MeasuredClip, log_likelihoods
from leitmotif.causal.experiment.study import Study
from leitmotif.causal.possible import MOST
from leitmotif.claims import is_above_zero
from leitmotif.config import Params, load_params
from leitmotif.files import write_json
from leitmotif.judge.models.checkpoint import Precision
from leitmotif.judge.models.fidelity import fidelities
from leitmotif.judge.models.loading import shared_clap
from leitmotif.recurrence.continuation import Listener, recurrence_rate
from leitmotif.recurrence.search.settings import search_of
from leitmotif.stages.studies import study_of
from leitmotif.tables.interval import IntervalRow
from leitmotif.work.progress import progress

RESULT = RESULTS / "fidelity.json"
PIECES = 64
BAR_SECONDS = 0.64
"""Of the organisms."""
SHARES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
"""Of frames, or of tokens."""
MEASURES = {"similarity": 2, "nats": 1}
"""Digits of their thresholds."""
UNTOUCHED, REDRAWN, OTHER_CUE = "untouched", "redrawn", "other cue"
Random = np.random.Generator


@dataclass(frozen=True)
class Damager:
    """Makes damaged continuations [n] of baselines."""

    study: Study

    def noise(self, clip: MeasuredClip, decibels: float, random: Random) -> Samples:
        """White noise so far below the continuation's level."""
        new = self.new(clip)
        level = np.sqrt(np.mean(new.astype(np.float64) ** 2)) * 10 ** (-decibels / 20)
        return (new + level * random.standard_normal(len(new))).astype(new.dtype)

    def dropped(self, clip: MeasuredClip, share: float, random: Random) -> Samples:
        """Frames without a sound."""
        new, hop = self.new(clip), self.study.model.samples_per_frame
        kept = random.random(len(new) // hop) >= share
        return new * np.repeat(kept, hop)[: len(new)].astype(new.dtype)

    def tokens(self, clip: MeasuredClip, share: float, random: Random) -> Samples:
        """Tokens that any other could be."""
        model, codes = self.study.model, clip.clip.codes.clone()
        new = codes[:, clip.clip.prefix_frames :]
        where = random.random(tuple(new.shape)) < share
        drawn = random.integers(model.codebook_size, size=tuple(new.shape))
        new[where] = new.new_tensor(drawn[where])
        heard = model.decode_audio(codes[None])[0].cpu().numpy()
        return np.asarray(heard[self.start(clip) :])

    def bars(self, clip: MeasuredClip, pairs: float, random: Random) -> Samples:
        """Bars in another order; what is left over at the end stays."""
        new = self.new(clip).copy()
        bar = round(BAR_SECONDS * self.study.model.sample_rate)
        bars = new[: len(new) // bar * bar].reshape(-1, bar)
        chosen = random.permutation(len(bars))[: 2 * int(pairs)].reshape(-1, 2)
        bars[chosen.ravel()] = bars[chosen[:, ::-1].ravel()]
        return new

    def start(self, clip: MeasuredClip) -> int:
        """First sample of the continuation."""
        return clip.clip.prefix_frames * self.study.model.samples_per_frame

    def new(self, clip: MeasuredClip) -> Samples:
        """Samples of the continuation."""
        assert clip.samples is not None
        return clip.samples[self.start(clip) :]


@dataclass(frozen=True)
class Heard:
    """What is measured of one clip; a measure of likeness is of it and its baseline."""

    recurrence: float
    similarity: float
    spectral_db: float
    nats: float
    """Change of the log-likelihood of a token, as the codec hears the clip, without treatment."""


@dataclass(frozen=True)
class Ear:
    """Hears clips as the stage interventions does."""

    damager: Damager
    params: Params

    def heard(self, clip: MeasuredClip, damaged: Sequence[Samples]) -> list[Heard]:
        """Measures of damaged continuations beside their baseline."""
        study, settings = self.damager.study, self.params.interventions
        dtype: Precision = "float64" if study.model.dtype_beside == torch.float64 else "float32"
        clap = shared_clap(self.params.judge, dtype)
        assert clip.samples is not None
        assert clip.heard is not None
        start, rate = self.damager.start(clip), study.model.sample_rate
        prefix, first = clip.samples[:start], clip.heard.start_sample - start
        listener = Listener(
            prefix,
            [motif_return.motif for motif_return in clip.returns],
            sample_rate=rate,
            search=search_of(self.params.proposals),
            p=settings.p,
            min_score=settings.min_score,
        )
        own = self.damager.new(clip)
        likeness = fidelities(clap, damaged, own, rate)
        nats = [self.nats(prefix, new, clip) for new in [own, *damaged]]
        return [
            Heard(
                recurrence_rate(listener.returns(new[first : first + clip.heard.samples])),
                float(like.similarity.mean()),
                like.spectral_db,
                of_clip - nats[0],
            )
            for new, like, of_clip in zip(damaged, likeness, nats[1:], strict=True)
        ]

    def nats(self, prefix: Samples, new: Samples, clip: MeasuredClip) -> float:
        """Log-likelihood of a token of ``new``, as the codec hears it, without treatment."""
        model = self.damager.study.model
        codes = model.encode_audio(np.concatenate([prefix, new]))
        prompt = clip.clip.prefix.prompt
        return float(log_likelihoods(model, codes, clip.clip.prefix_frames, prompt)[0])


def kinds_of(damager: Damager) -> Iterator[tuple[str, float, Callable[..., Samples]]]:
    """Kinds of damage with their doses, the smallest first."""
    for decibels in (20.0, 10.0, 0.0, -5.0, -10.0):
        yield "noise", decibels, damager.noise
    for share in SHARES:
        yield "dropped", share, damager.dropped
    for share in SHARES:
        yield "tokens", share, damager.tokens
    for pairs in (1.0, 2.0, 3.0, 5.0):
        yield "bars", pairs, damager.bars


def measured(params: Params) -> tuple[Study, dict[tuple[str, float | None], dict[str, Heard]]]:
    """By kind and dose: what is heard in each track."""
    study = study_of(params, params.model.name)
    damager = Damager(study)
    ear, seed = Ear(damager, params), params.interventions.seed
    clips = {
        (clip.clip.prefix.track_id, clip.clip.seed, str(clip.clip.condition.kind)): clip
        for clip in study.run([], tried=1).clips
        if clip.excluded is None
    }
    found: dict[tuple[str, float | None], dict[str, Heard]] = {}
    tracks = [piece.prefix.track_id for piece in study.pieces.pieces]
    for number, track in enumerate(progress(tracks, "damaged clips", total=len(tracks))):
        keys = [(track, seed, "baseline"), (track, seed + 1, "baseline")]
        keys.append((track, seed, "counterfactual"))
        if not all(key in clips for key in keys):
            continue
        own, redrawn, other = (clips[key] for key in keys)
        made: dict[tuple[str, float | None], Samples] = {
            (UNTOUCHED, None): damager.new(own),
            (REDRAWN, None): damager.new(redrawn),
            (OTHER_CUE, None): damager.new(other),
        }
        for index, (kind, dose, damage) in enumerate(kinds_of(damager)):
            made[kind, dose] = damage(own, dose, np.random.default_rng([seed, number, index]))
        for key, heard in zip(made, ear.heard(own, list(made.values())), strict=True):
            found.setdefault(key, {})[track] = heard
    return study, found


def row_of(
    kind: str, dose: float | None, study: Study, own: Mapping[str, Heard], by: Mapping[str, Heard]
) -> dict[str, Any]:
    """One kind and dose: what it takes away, what it adds, and how the clips differ."""
    points = {
        track: 100.0 * study.pieces.towards[track] * (heard.recurrence - own[track].recurrence)
        for track, heard in by.items()
    }
    gained, lost = both_ways(points, study.pieces)

    def mean(measure: str, digits: int) -> ByTrack | Any:
        values = {track: float(getattr(heard, measure)) for track, heard in by.items()}
        return _dumped(effect_row(values, digits))

    return {
        "kind": kind,
        "dose": dose,
        "lost": _dumped(effect_row(lost, 2, limits=MOST)),
        "gained": _dumped(effect_row(gained, 2, limits=MOST)),
        "similarity": mean("similarity", 4),
        "spectral_db": mean("spectral_db", 2),
        "nats": mean("nats", 3),
    }


def _dumped(row: IntervalRow | None) -> dict[str, Any] | None:
    return None if row is None else row.model_dump(mode="json", exclude={"p"})


def thresholds_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The rule of this module on its rows, for both measures."""
    (redrawn,) = (row for row in rows if row["kind"] == REDRAWN)
    onsets: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        if row["dose"] is not None and is_above_zero(IntervalRow.model_validate(row["lost"])):
            onsets.setdefault(row["kind"], row)
    thresholds = {}
    for measure, digits in MEASURES.items():
        above = {
            kind: ceil(row[measure]["mean"] * 10**digits) / 10**digits
            for kind, row in onsets.items()
        }
        visible = {kind: least for kind, least in above.items() if least < redrawn[measure]["low"]}
        thresholds[measure] = {
            "threshold": max(visible.values(), default=None),
            "visible": sorted(visible),
            "not_visible": sorted(onsets.keys() - visible.keys()),
        }
    return {"onsets": {kind: row["dose"] for kind, row in onsets.items()}, **thresholds}


def main() -> None:
    """Damage, hear, print, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pieces", type=int, default=PIECES)
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args()
    params = load_params()
    settings = {"tracks": given.pieces, "kept_tracks": given.pieces, "seeds": 2}
    interventions = params.interventions.model_copy(update=settings)
    study, found = measured(params.model_copy(update={"interventions": interventions}))
    of_key = partial(row_of, study=study, own=found[UNTOUCHED, None])
    rows = [of_key(kind, dose, by=by) for (kind, dose), by in found.items() if kind != UNTOUCHED]
    write_json(given.out, {"machine": machine(), "rows": rows, "rule": thresholds_of(rows)})
    for row in rows:
        print(row)
    print(thresholds_of(rows))


if __name__ == "__main__":
    main()
