"""Builds each kind of corpus that params.yaml can name, in one layout.

The layout has ``tracks.jsonl``, ``failures.jsonl``, ``notes.jsonl`` and ``audio/``; the organism
adds ``truth.jsonl``.
"""

import shutil
from pathlib import Path

from leitmotif.config import FolderCorpus, MtgJamendoCorpus, OrganismCorpus
from leitmotif.corpus.organism import shard as composed
from leitmotif.corpus.organism.world import load_world
from leitmotif.corpus.sources.folder import copy_folder
from leitmotif.corpus.sources.mtg_jamendo import fetch_mtg_jamendo
from leitmotif.corpus.sources.shard import Shards, unpack_shards
from leitmotif.errors import CorpusError
from leitmotif.files import atomic_folder, write_table
from leitmotif.tables.corpus import TRACKS, CorpusTrack, Failure, Note
from leitmotif.tables.truth import TRUTH

FAILURES = "failures.jsonl"
NOTES = "notes.jsonl"


def build_corpus(
    settings: OrganismCorpus | FolderCorpus | MtgJamendoCorpus, corpus: Path, work: Path
) -> tuple[list[CorpusTrack], list[Failure], list[Note]]:
    """Make a corpus from its source, completely or not at all.

    Parameters
    ----------
    settings
        Section ``corpus`` of params.yaml.
    corpus
        Folder to make.
    work
        Folder for downloads, which are kept after the run.

    Returns
    -------
    tuple of three lists
        The verified tracks in metadata order, the files that were left out, and what is unclear of
        the tracks.

    Raises
    ------
    CorpusError
        For the same reasons as the sources.
    """
    with atomic_folder(corpus) as staging:
        failures: list[Failure] = []
        match settings:
            case OrganismCorpus():
                tracks, notes = compose_organism(settings, staging)
            case MtgJamendoCorpus():
                tracks, notes = fetch_mtg_jamendo(settings, staging, work)
            case FolderCorpus(path=path):
                if corpus.resolve().is_relative_to(Path(path).resolve()):
                    raise CorpusError(
                        f"{path} contains {corpus}, where the corpus is written",
                        fix="set corpus.path in params.yaml to a folder of recordings only",
                    )
                tracks, failures, notes = copy_folder(Path(path), staging)
        write_table(staging / TRACKS, tracks)
        write_table(staging / FAILURES, failures)
        write_table(staging / NOTES, notes)
    return tracks, failures, notes


def compose_organism(
    settings: OrganismCorpus, corpus: Path
) -> tuple[list[CorpusTrack], list[Note]]:
    """Compose the organism's shard, then verify and unpack it like a downloaded shard."""
    shard = corpus / "shard"
    composed.write_shard(
        load_world(Path(settings.path)), shard, pieces=settings.pieces, seed=settings.seed
    )
    unpacked = unpack_shards(
        Shards(
            dataset="autotagging_moodtheme",
            data_type="audio-low",
            archives={0: shard / composed.TAR},
            tar_checksums=shard / composed.TAR_SUMS,
            track_checksums=shard / composed.TRACK_SUMS,
            tags=shard / composed.INSTRUMENTS,
            licences=shard / composed.LICENCES,
        ),
        corpus,
    )
    (shard / TRUTH).rename(corpus / TRUTH)
    shutil.rmtree(shard)
    return unpacked
