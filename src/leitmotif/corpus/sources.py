"""The corpora that params.yaml can name, all written to one layout.

``tracks.jsonl`` and ``failures.jsonl`` beside ``audio/``; the organism adds ``truth.jsonl``.
"""

import shutil
import tempfile
from pathlib import Path

from leitmotif.config import FolderCorpus, MtgJamendoCorpus, OrganismCorpus
from leitmotif.corpus.folder import copy_folder
from leitmotif.corpus.mtg_jamendo import fetch_mtg_jamendo
from leitmotif.corpus.organism.shard import write_shard
from leitmotif.corpus.organism.world import load_world
from leitmotif.corpus.shard import Shards, archive_name, unpack_shards
from leitmotif.corpus.tables import CorpusTrack, Failure
from leitmotif.errors import CorpusError
from leitmotif.files import atomic_folder, write_table

TRACKS = "tracks.jsonl"
FAILURES = "failures.jsonl"
TRUTH = "truth.jsonl"


def build_corpus(
    settings: OrganismCorpus | FolderCorpus | MtgJamendoCorpus, corpus: Path, work: Path
) -> tuple[list[CorpusTrack], list[Failure]]:
    """Make the folder ``corpus`` from the source of ``settings``, whole or not at all.

    ``work`` is for downloads, which outlive the run. Returns the verified tracks in metadata order,
    and the files left out. Raises CorpusError as the sources do.
    """
    with atomic_folder(corpus) as staging:
        failures: list[Failure] = []
        match settings:
            case OrganismCorpus():
                tracks = compose_organism(settings, staging, work)
            case MtgJamendoCorpus():
                tracks = fetch_mtg_jamendo(settings, staging, work)
            case FolderCorpus(path=path):
                if corpus.resolve().is_relative_to(Path(path).resolve()):
                    raise CorpusError(
                        f"{path} contains {corpus}, where the corpus is written",
                        fix="set corpus.path in params.yaml to a folder of recordings only",
                    )
                tracks, failures = copy_folder(Path(path), staging)
        write_table(staging / TRACKS, tracks)
        write_table(staging / FAILURES, failures)
    return tracks, failures


def compose_organism(settings: OrganismCorpus, corpus: Path, work: Path) -> list[CorpusTrack]:
    """Compose the organism's shard and take it in as a downloaded one is: verified and unpacked."""
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="organism-", dir=work) as folder:
        out = Path(folder) / "shard"
        write_shard(
            load_world(Path(settings.path)), out, pieces=settings.pieces, seed=settings.seed
        )
        dataset, data_type = "autotagging_moodtheme", "audio-low"
        shards = Shards(
            dataset=dataset,
            data_type=data_type,
            archives={0: out / archive_name(dataset, data_type, 0)},
            tar_checksums=out / f"{dataset}_{data_type}_sha256_tars.txt",
            track_checksums=out / f"{dataset}_{data_type}_sha256_tracks.txt",
            tags=out / "autotagging_instrument.tsv",
            licences=out / "audio_licenses.txt",
        )
        tracks = unpack_shards(shards, corpus)
        shutil.copyfile(out / TRUTH, corpus / TRUTH)
    return tracks
