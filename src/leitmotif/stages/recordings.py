"""Stage ``recordings``: the files of a folder corpus with their hashes, for DVC to watch.

It runs before every run of the pipeline (data/sources/dvc.yaml). The corpus is made anew when the
list has changed.
"""

from pathlib import Path

from leitmotif.config import RECORDINGS, FolderCorpus, Params
from leitmotif.corpus.listing import list_recordings
from leitmotif.files import write_table


def recordings(params: Params) -> None:
    """Write data/sources/recordings.jsonl; other corpora than a folder have no such list."""
    if isinstance(params.corpus, FolderCorpus):
        write_table(RECORDINGS, list_recordings(Path(params.corpus.path)))
