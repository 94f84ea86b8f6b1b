"""A folder experiment, made as far as a test needs: its tables, and what dvc.lock says of them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leitmotif.cli import presets
from leitmotif.config import RECORDINGS
from leitmotif.files import write_json, write_table
from leitmotif.files.yaml_files import read_stages
from leitmotif.pipeline import EXCLUDED, FAILURES, MANIFEST, METRICS, PROPOSALS
from leitmotif.pipeline.watched import stage_outs
from leitmotif.review.known import searched
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import Exclusion, Failure, ListedFile, ManifestTrack, Window
from leitmotif.tables.decisions import Decision, JudgedSpan, Listening, pair_id, stretch_id
from leitmotif.tables.proposals import Proposal, proposal_address, write_proposals
from tests.review.made import decision, listening
from tests.tables.made import manifest_track, proposal_row

RATE = 32_000
FIXED = (
    "manifest.windows=first",
    "probes.folds=5",
    "interventions.prefix_seconds=6.0",
    "interventions.seconds=12.0",
)
"""Numbers in the place of what the preset leaves to the recordings."""


def sha256(number: int) -> str:
    return f"{number:064x}"


def name(number: int) -> str:
    return f"track{number:02}"


def track(number: int, seconds: float = 30.0) -> ManifestTrack:
    """A recording whose one window ends with it, or after 30 s."""
    frames = round(min(seconds, 30.0) * 50)
    return manifest_track(
        track_id=name(number),
        sha256=sha256(number),
        seconds=seconds,
        windows=[Window(start_frame=0, frames=frames)],
    )


def proposal(
    number: int, rank: int, start: float = 1.0, after: float = 14.0, seconds: float = 3.0
) -> Proposal:
    """Of track ``number``: a motif at ``start`` and its return at ``after``, in seconds."""
    motif, recurrence = (
        Span(start_sample=round(at * RATE), samples=round(seconds * RATE)) for at in (start, after)
    )
    return proposal_row(
        proposal_id=proposal_address(name(number), motif, recurrence, engine=str(rank)),
        track_id=name(number),
        motif=motif,
        recurrence=recurrence,
        texture=0.1,
        rank=rank,
    )


def verdict(of: Proposal, said: str = "positive", reviewer: str = "ana") -> Decision:
    """What a reviewer says of a proposal."""
    number = int(of.track_id.removeprefix("track"))
    fields: dict[str, Any] = {
        "track_id": of.track_id,
        "audio_sha256": sha256(number),
        "pair": pair_id(sha256(number), of.sample_rate, of.motif, of.recurrence),
        "proposed_motif": of.motif,
        "proposed_recurrence": of.recurrence,
        "motif": JudgedSpan(**dict(of.motif), sha256=None),
        "recurrence": JudgedSpan(**dict(of.recurrence), sha256=None),
    }
    return decision(reviewer, verdict=said, **fields)


def heard(of: ManifestTrack, said: str = "nothing_else", reviewer: str = "ana") -> Listening:
    """What a listener says of all that is searched of a track."""
    (stretch,) = searched(of)
    return listening(
        reviewer,
        verdict=said,
        track_id=of.track_id,
        audio_sha256=of.sha256,
        pair=stretch_id(of.sha256, 32_000, stretch),
        stretch=JudgedSpan(**dict(stretch), sha256=None),
    )


def folder_experiment(root: Path, source: Path, *settings: str) -> None:
    """A repository with the presets of ``source`` in which somebody said ``use folder``.

    ``settings`` are changed beside ``FIXED``.
    """
    (root / "presets").mkdir(parents=True)
    for preset in (source / "presets").glob("*.yaml"):
        (root / "presets" / preset.name).write_bytes(preset.read_bytes())
    (root / "music").mkdir()
    presets.use("folder", ["corpus.path=music", *FIXED, *settings], root=root)
    # Afterwards, as nothing is tested here of the dependencies that `use` adds.
    (root / "dvc.yaml").write_bytes((source / "dvc.yaml").read_bytes())
    (root / "src").symlink_to(source / "src")


def recordings(root: Path, count: int) -> None:
    """Files that are named like recordings."""
    for number in range(count):
        (root / "music" / f"{name(number)}.wav").write_bytes(b"")


def proposed(
    root: Path,
    tracks: Sequence[ManifestTrack],
    proposals: Sequence[Proposal],
    excluded: Sequence[Exclusion] = (),
) -> None:
    """What the stages up to ``proposals`` leave of recordings that are all there."""
    recordings(root, len(tracks) + len(excluded))
    files = sorted(path.name for path in (root / "music").iterdir())
    write_table(
        root / RECORDINGS, [ListedFile(path=file, sha256=None, reason=None) for file in files]
    )
    write_json(root / METRICS / "corpus.json", {"tracks": len(files), "failures": 0})
    write_table(root / MANIFEST, tracks)
    write_table(root / EXCLUDED, excluded)
    no_failures: list[Failure] = []
    write_table(root / FAILURES, no_failures)
    write_proposals(root / PROPOSALS, proposals)
    ran(root, "corpus", "manifest", "features", "proposals")


def decided(root: Path, decisions: Sequence[Decision | Listening]) -> None:
    """Append decisions and listenings to the logs of their reviewers."""
    for row in decisions:
        log = root / "data/decisions" / f"{row.reviewer}.jsonl"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row.model_dump(mode="json")) + "\n")


def heard_all(root: Path, tracks: Sequence[ManifestTrack]) -> None:
    """Say of each track that somebody listened to all of it."""
    decided(root, [heard(row) for row in tracks])


def ran(root: Path, *stages: str) -> None:
    """Say in dvc.lock that these stages ran alone, and put something where an output lacks."""
    entries = read_stages(root / "dvc.yaml")
    locked = {}
    for stage in stages:
        outs = stage_outs(entries[stage])
        locked[stage] = {"outs": [{"path": out, "md5": "0" * 32} for out in outs]}
        for out in outs:
            path = root / out
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.mkdir() if not path.suffix else path.write_text("\n", encoding="utf-8")
    (root / "dvc.lock").write_text(json.dumps({"stages": locked}), encoding="utf-8")
