"""data/interventions.jsonl: one line for each generated clip, and enough in it to make it again.

The log is written whole and last: a clip's audio file is complete before a line names it, and where
the disk is full log and clips stay as they were.
"""

import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import soundfile
from pydantic import Field

from leitmotif.causal.measures import Measured, Metrics
from leitmotif.causal.prefixes import sha256_codes
from leitmotif.causal.runner import Continuing
from leitmotif.corpus.tables import Sha256, Span, Table, TrackId
from leitmotif.errors import StoreError
from leitmotif.files import atomic, explained_full_disk, read_table, write_table
from leitmotif.recurrence.continuation import Return
from leitmotif.tables.effects import Kind

LOG = Path("data/interventions.jsonl")
SCHEMA = Path(__file__).with_name("interventions.schema.json")


class SamplingRow(Table):
    """How a clip's tokens were drawn."""

    temperature: float
    top_k: int | None
    top_p: float | None
    guidance_scale: float | None
    """Weight of the prompt; null: the checkpoint's own."""
    prompt: str | None
    """What the model was told; null when it was unconditional."""


class ReturnRow(Table):
    """Where a clip returns a motif of its prefix, or comes nearest to that."""

    motif: Span
    """Samples of the clip, as all spans of its line."""
    start_sample: int | None
    """Where the motif fits best; null where nothing is like it, or no room."""
    transposition: int
    """Semitones."""
    score: float | None
    """As of a proposal; null as the place is."""
    p: float
    recurs: bool


class InterventionRow(Table):
    """A line of the log. Codes are hashed as int32, audio as 16-bit samples."""

    clip_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    """Of all that decides the clip. Candidates may share one, and each then has its line."""
    track_id: TrackId
    model: str
    """Hub id or folder."""
    model_fingerprint: Sha256
    candidate: str
    """Whose condition it is; empty for a baseline and a counterfactual."""
    name: str
    """Of the condition, as data/effects.jsonl has it: such as patch_gap or scale_gap_-2."""
    condition: Kind
    site: str | None
    """Canonical name; null where nothing was changed."""
    feature: int | list[int] | None
    """Feature or coordinate, or several changed together; null for a whole site."""
    sae: str | None
    """Entry of hooks.yaml; null where the feature is a coordinate."""
    sae_sha256: Sha256 | None
    """Of its weights."""
    strength: float | None
    source: str | None
    """The prefix whose run the activations, or with a counterfactual the start, come from: a twin,
    or another track by its id."""
    steps: tuple[int, int] | None
    """Decoder steps [start, stop); null: all that have read a token of the continuation."""
    seed: int
    sampling: SamplingRow
    prefix_sha256: Sha256
    prefix_frames: Annotated[int, Field(ge=1)]
    frames: Annotated[int, Field(ge=1)]
    """Of the continuation."""
    tokens_sha256: Sha256
    """Of prefix and continuation, as the audio hashes are."""
    baseline_audio_sha256: Sha256
    audio_sha256: Sha256
    file: str | None
    """The clip's audio, relative to the log; null where it was not kept."""
    metrics: Metrics
    heard: Span | None
    """In which a return counts; null for all of the continuation. May end after the clip."""
    returns: list[ReturnRow]
    """One for each motif of the prefix; none where the clip was not measured."""
    excluded: str | None
    """Why the clip was not measured."""


def row_of(
    measured: Measured,
    how: Continuing,
    *,
    name: str,
    model: str,
    model_fingerprint: str,
    sample_rate: int,
    file: str | None = None,
) -> InterventionRow:
    """The line of one clip; ``name`` is that of its condition."""
    clip, condition = measured.clip, measured.clip.condition
    target = None if condition.target is None else condition.target.describe()
    described = target or dict.fromkeys(("site", "feature", "sae", "sae_sha256"))
    held, sampling = clip.prefix_frames, how.sampling
    steps = condition.steps
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
            "strength": None if target is None else condition.strength,
            "source": clip.prefix.tracks.get(condition.source or "", condition.source),
            "steps": None if steps is None else (steps.start, steps.stop),
            "seed": clip.seed,
            "sampling": SamplingRow(
                temperature=sampling.temperature,
                top_k=sampling.top_k,
                top_p=sampling.top_p,
                guidance_scale=how.guidance_scale,
                prompt=clip.prefix.prompt,
            ),
            "prefix_sha256": sha256_codes(clip.codes[:, :held]),
            "prefix_frames": held,
            "frames": clip.codes.shape[1] - held,
            "tokens_sha256": measured.tokens_sha256,
            "baseline_audio_sha256": measured.baseline_audio_sha256,
            "audio_sha256": measured.audio_sha256,
            "file": file,
            "metrics": measured.metrics,
            "heard": measured.heard,
            "returns": [_return_row(one, sample_rate) for one in measured.returns],
            "excluded": measured.excluded,
        }
    )


def _return_row(found: Return, sample_rate: int) -> ReturnRow:
    fits = found.start is not None and math.isfinite(found.score)
    return ReturnRow(
        motif=found.motif,
        start_sample=round(found.start * sample_rate) if fits and found.start is not None else None,
        transposition=found.transposition,
        score=round(found.score, 4) if fits else None,
        p=round(found.p, 6),
        recurs=found.recurs,
    )


def write_audio(path: Path, measured: Measured, sample_rate: int) -> None:
    """Write a clip that kept its samples as 16-bit WAV.

    Raises StoreError on a full disk, which leaves no half file.
    """
    assert measured.samples is not None
    samples = np.clip(np.nan_to_num(measured.samples, posinf=1.0, neginf=-1.0), -1.0, 1.0)
    integers = np.round(samples * 32767).astype(np.int16)
    path.parent.mkdir(parents=True, exist_ok=True)
    wav = io.BytesIO()  # libsndfile hides what goes wrong with a file
    soundfile.write(wav, integers, sample_rate, format="WAV", subtype="PCM_16")
    with explained_full_disk(path), atomic(path) as temporary:
        temporary.write_bytes(wav.getvalue())


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
    path.parent.mkdir(parents=True, exist_ok=True)
    with explained_full_disk(path):
        return write_table(path, rows)


def read_log(path: Path = LOG) -> list[InterventionRow]:
    """Read the log; raises LeitmotifError naming the line and the field."""
    return read_table(path, InterventionRow)


def json_schema() -> dict[str, Any]:
    """The JSON schema of a line, for other tools."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **InterventionRow.model_json_schema(mode="serialization"),
    }


def _lost(path: Path, rows: Sequence[InterventionRow], clips: Path | None) -> list[str]:
    named = {row.file for row in rows if row.file is not None}
    there = {file: clips / Path(file).name if clips else path.parent / file for file in named}
    return sorted(file for file, place in there.items() if not place.is_file())
