"""Stage ``corpus``: a verified corpus in data/corpus, from whichever source params.yaml names."""

import sys
from collections.abc import Sequence

from leitmotif.config import Params
from leitmotif.corpus.sources.kinds import build_corpus
from leitmotif.files import write_json
from leitmotif.pipeline import CORPUS, METRICS, WORK_CACHE
from leitmotif.tables.corpus import CorpusTrack, Failure


def corpus(params: Params) -> None:
    """Write data/corpus and metrics/corpus.json."""
    tracks, failures, notes = build_corpus(params.corpus, CORPUS, WORK_CACHE)
    for note in notes:
        print(f"corpus: {note.track_id}: {note.reason} ({note.detail})", file=sys.stderr)
    write_json(METRICS / "corpus.json", metrics_of(tracks, failures))


def metrics_of(tracks: Sequence[CorpusTrack], failures: Sequence[Failure]) -> dict[str, object]:
    """How much there is; data/corpus/tracks.jsonl has each file's size."""
    return {"tracks": len(tracks), "failures": len(failures)}
