"""Writing data/interventions.jsonl and the clips that it names.

The log is written whole and last: a clip's audio file is complete before a line names it, and where
the disk is full log and clips stay as they were.
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from leitmotif.audio.writing import as_int16, write_wav
from leitmotif.causal.experiment.measures import MeasuredClip
from leitmotif.causal.experiment.prefixes import sha256_codes
from leitmotif.causal.experiment.runner import ContinuationSettings
from leitmotif.errors import StoreError
from leitmotif.files import explained_full_disk, write_table
from leitmotif.recurrence.continuation import Return
from leitmotif.tables.interventions import InterventionRow, OpeningRow, ReturnRow, SamplingRow

CLIPS = "clips"
"""Folder of the clips, beside the log."""


def row_of(
    measured: MeasuredClip,
    continuation: ContinuationSettings,
    *,
    name: str,
    model: str,
    model_fingerprint: str,
    sample_rate: int,
    audio: str | None = None,
) -> InterventionRow:
    """The line of one clip.

    ``name`` is that of its condition, ``audio`` that of its file in data/clips if it was kept.
    """
    clip, condition = measured.clip, measured.clip.condition
    target = None if condition.target is None else condition.target.describe()
    described = target or dict.fromkeys(("site", "feature", "sae", "sae_sha256"))
    held, sampling = clip.prefix_frames, continuation.sampling
    steps, opening = condition.steps_of(clip.prefix), clip.prefix.opening
    return InterventionRow.model_validate(
        {
            **{key: described[key] for key in ("site", "feature", "sae", "sae_sha256")},
            "clip_id": clip.id,
            "track_id": clip.prefix.track_id,
            "model": model,
            "model_fingerprint": model_fingerprint,
            "candidate": condition.candidate,
            "name": name,
            "condition": condition.kind,
            "strength": condition.dose,
            "source": clip.prefix.tracks.get(condition.source or "", condition.source),
            "steps": None if steps is None else (steps.start, steps.stop),
            "seed": clip.seed,
            "sampling": SamplingRow(
                temperature=sampling.temperature,
                top_k=sampling.top_k,
                top_p=sampling.top_p,
                guidance_scale=continuation.guidance_scale,
                prompt=clip.prefix.prompt,
            ),
            "prefix_sha256": sha256_codes(clip.codes[:, :held]),
            "prefix_frames": held,
            "opening": opening and OpeningRow(seed=opening.seed, frames=opening.frames),
            "frames": clip.codes.shape[1] - held,
            "tokens_sha256": measured.tokens_sha256,
            "baseline_audio_sha256": measured.baseline_audio_sha256,
            "audio_sha256": measured.audio_sha256,
            "file": audio and f"{CLIPS}/{audio}",
            "metrics": measured.metrics,
            "heard": measured.heard,
            "returns": [
                _return_row(motif_return, sample_rate) for motif_return in measured.returns
            ],
            "excluded": measured.excluded,
        }
    )


def _return_row(motif_return: Return, sample_rate: int) -> ReturnRow:
    start = motif_return.start
    fits = start is not None and math.isfinite(motif_return.score)
    return ReturnRow(
        motif=motif_return.motif,
        start_sample=round(start * sample_rate) if fits and start is not None else None,
        transposition=motif_return.transposition,
        score=round(motif_return.score, 4) if fits else None,
        p=round(motif_return.p, 6),
        recurs=motif_return.recurs,
    )


def write_audio(path: Path, measured: MeasuredClip, sample_rate: int) -> None:
    """Write a clip that kept its samples as 16-bit WAV.

    Raises StoreError on a full disk, which leaves no half file.
    """
    assert measured.samples is not None
    write_wav(path, as_int16(measured.samples), sample_rate)


def write_log(path: Path, rows: Iterable[InterventionRow], *, clips: Path | None = None) -> int:
    """Write the log and return its number of lines.

    ``clips`` is the folder that holds the audio files now, if not the one beside the log. Raises
    StoreError for a line whose audio file is missing, and on a full disk; the log that was there
    then stays.
    """
    rows = list(rows)
    lost = _lost(path, rows, clips)
    if lost:
        raise StoreError(
            f"{path} would name clips that are not there",
            found=f"{len(lost)} missing, such as {lost[0]}",
            fix="write a clip's audio before its line",
        )
    with explained_full_disk(path):
        return write_table(path, rows)


def _lost(path: Path, rows: Sequence[InterventionRow], clips: Path | None) -> list[str]:
    named = {row.file for row in rows if row.file is not None}
    there = {file: clips / Path(file).name if clips else path.parent / file for file in named}
    return sorted(file for file, place in there.items() if not place.is_file())
