"""The pieces that methods are given: composed music with its counterfactuals, balanced and fixed.

Each piece has one event: its last slot, in which the motif returns or does not. As many pieces have
each combination of decisions on all slots, so that no decision goes with another.
"""

import tempfile
from itertools import count, product
from pathlib import Path

from leitmotif.causal.experiment.events import Event, composed_events
from leitmotif.causal.experiment.twins import Twins
from leitmotif.corpus.organism.composer import Score, compose, render, sounds, truth
from leitmotif.corpus.organism.shard import encode_mp3
from leitmotif.corpus.organism.synthesis import SoundBank
from leitmotif.corpus.organism.world import World
from leitmotif.errors import ConfigError
from leitmotif.files import sha256_file
from leitmotif.musicgen.protocol import MusicModel
from leitmotif.tables.corpus import ManifestTrack, Window

SEED = 4711
"""Seed of the series; no training and no other measure draws from it."""
MANIFEST_RATE = 50
"""Frames a second in which a manifest counts windows."""


def composed_pieces(model: MusicModel, world: World, *, pieces: int) -> list[Event]:
    """The last slots of ``pieces`` pieces of held-out motifs; the same arguments give the same.

    ``model`` encodes the audio; models that share a codec share the pieces. A piece whose return
    and filler begin with the same tokens is left out. Raises ConfigError for a number that does not
    balance, and ModelError.
    """
    combinations = 2 ** len(world.slot_bars)
    if pieces < combinations or pieces % combinations:
        raise ConfigError(
            "the pieces cannot be balanced",
            found=f"{pieces} pieces",
            expected=f"a multiple of {combinations}, the number of combinations of decisions",
        )
    last = len(world.slot_bars) - 1
    with tempfile.TemporaryDirectory() as folder:
        root, bank = Path(folder), SoundBank(world)
        scores = _balanced(world, pieces // combinations)
        tracks = [_written(world, bank, root, index, score) for index, score in scores.items()]
        truths = {
            _name(index): truth(
                world, score, track_id=_name(index), seed=SEED, index=index, bars=world.bars
            )
            for index, score in scores.items()
        }
        events = composed_events(model, tracks, root, Twins(world, truths))
    return [event for event in events if event.slot == last]


def _balanced(world: World, each: int) -> dict[int, Score]:
    """The first ``each`` scores of the series with each combination of decisions, by index."""
    left = dict.fromkeys(product((True, False), repeat=len(world.slot_bars)), each)
    chosen: dict[int, Score] = {}
    for index in count():
        if not any(left.values()):
            return chosen
        score = compose(world, SEED, index, part="held_out")
        if left[score.returns]:
            left[score.returns] -= 1
            chosen[index] = score
    raise AssertionError("unreachable")  # count() does not end


def _name(index: int) -> str:
    return f"piece_{index:04d}"


def _written(world: World, bank: SoundBank, root: Path, index: int, score: Score) -> ManifestTrack:
    """Write a piece as an MP3, which its counterfactuals are too, and describe it."""
    path = root / f"{_name(index)}.mp3"
    path.write_bytes(encode_mp3(render(bank, sounds(world, score)), world.sample_rate))
    seconds = world.bars * world.samples_per_bar / world.sample_rate
    return ManifestTrack(
        track_id=_name(index),
        path=path.name,
        sha256=sha256_file(path),
        seconds=seconds,
        tags=[],
        licence=None,
        windows=[Window(start_frame=0, frames=round(seconds * MANIFEST_RATE))],
    )
