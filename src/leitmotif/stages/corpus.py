"""Stage ``corpus``: a verified corpus in data/corpus, from whichever source params.yaml names."""

from leitmotif.config import Params
from leitmotif.corpus.sources import build_corpus
from leitmotif.files import write_json
from leitmotif.stages import CORPUS, METRICS, WORK_CACHE, run


def corpus(params: Params) -> None:
    """Write data/corpus and metrics/corpus.json."""
    tracks, failures = build_corpus(params.corpus, CORPUS, WORK_CACHE)
    write_json(
        METRICS / "corpus.json",
        {
            "source": params.corpus.source,
            "tracks": len(tracks),
            "bytes": sum(track.bytes for track in tracks),
            "failures": len(failures),
        },
    )


if __name__ == "__main__":
    run(corpus)
