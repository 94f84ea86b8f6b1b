"""Tables that say which tracks of the tiny study are left, and what was searched of them."""

from pathlib import Path

from leitmotif.audio.features import SAMPLE_RATE
from leitmotif.cli.preset_texts import preset
from leitmotif.config import load_params
from leitmotif.files import read_table, write_table
from leitmotif.pipeline import MANIFEST
from leitmotif.report.tracks import TrackSources, read_tracks
from leitmotif.tables.base import Span
from leitmotif.tables.corpus import CorpusTrack, Failure, ManifestTrack
from leitmotif.tables.labels import Coverage, Label
from leitmotif.tables.openings import OpenedRecording
from tests.report.made import TRACKS, Made
from tests.report.made_features import coverage, label
from tests.tables.made import horizon, proposal_row

ROOT = Path(__file__).resolve().parents[2]
OPENED = [
    OpenedRecording(model="planner", track_id=name, openings=8, returning=n, towards=way)
    for name, n, way in (("piece_1", 5, -1), ("piece_2", 0, None))
]


def write_corpus(data: Path, tracks: int) -> None:
    """Write tables of a corpus of so many recordings, and one that could not be used."""
    found = [
        CorpusTrack(
            track_id=f"piece_{number}",
            path=f"audio/piece_{number}.wav",
            sha256="d" * 64,
            bytes=1,
            seconds=3.0,
            tags=[],
            licence=None,
        )
        for number in range(1, tracks + 1)
    ]
    failure = Failure(track_id="no_audio", path="no_audio.wav", reason="undecodable", detail="")
    (data / "corpus").mkdir(exist_ok=True)
    write_table(data / "corpus/tracks.jsonl", found)
    write_table(data / "corpus/failures.jsonl", [failure])


def write_tracks(made: Made) -> None:
    """Write what other fixtures of the study do not; people decided."""
    data = made.root / "data"
    write_corpus(data, len(TRACKS))
    for name in ("excluded", "failures"):
        write_table(data / f"{name}.jsonl", [])
    labels, covered = data / "labels.jsonl", data / "coverage.jsonl"
    if not labels.exists():
        write_table(labels, [label(name, 0.5) for name in TRACKS])
        write_table(covered, map(coverage, TRACKS))
    rows = read_table(covered, Coverage)
    heard = {"source": "decisions", "known": [Span(start_sample=0, samples=60 * SAMPLE_RATE)]}
    write_table(covered, [row.model_copy(update=heard) for row in rows])
    first = read_table(labels, Label)[0]
    proposed = proposal_row(track_id=first.track_id, motif=first.motif, recurrence=first.recurrence)
    write_table(data / "proposals.jsonl", [proposed])
    write_table(data / "horizons.jsonl", [horizon(horizon="4-6s", tracks=1)])
    write_table(data / "openings.jsonl", OPENED)


def add_tracks(made: Made, name: str = "organism") -> TrackSources:
    """Write the study with recordings of which half was searched, and read what is left."""
    made.write()
    write_tracks(made)
    manifest = made.root / MANIFEST
    rows = [row.model_copy(update={"seconds": 6.0}) for row in read_table(manifest, ManifestTrack)]
    write_table(manifest, rows)
    settings = made.root / "params.yaml"
    settings.write_text(preset(name, root=ROOT), encoding="utf-8")
    return read_tracks(load_params(settings), made.root)
