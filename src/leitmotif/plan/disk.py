"""What a run downloads, and how much room it takes on the disk, by folder."""

from dataclasses import dataclass
from pathlib import Path

from leitmotif.config import FolderCorpus, MtgJamendoCorpus
from leitmotif.errors import counted
from leitmotif.lens.kept_swaps import kept_clips
from leitmotif.lens.tuned import map_bytes
from leitmotif.plan.scale import TRACKS_OF_A_SHARD, Scale
from leitmotif.plan.sizes import BYTES, ModelSize, judge_bytes
from leitmotif.plan.store import HEADER_BYTES, StoreSize

TRACK_BYTES = 2_490_000
"""Of a recording of MTG-Jamendo in ``audio-low``: 46 GB of 18,486, as published; not measured."""
MP3_BYTES_A_SECOND = 31_750
"""Of the organism's recordings, encoded by this repository, with the score and the metadata."""
CHROMA_FRAMES, FEATURE_BYTES = 50, 4 * 14
"""Frames a second of the features, and bytes a frame: 12 of chroma, energy and onset."""
FEATURE_HEADER = 600
ENTRY_BYTES = 8
"""Size of an active feature: its number and its strength, 4 bytes each."""
WAV_BYTES = 2
"""Size of a sample."""
AUDIOSET_LABELS = 527


@dataclass(frozen=True)
class DiskItem:
    """Bytes of one thing."""

    name: str
    bytes: int | None
    """None: not known."""
    note: str = ""
    """Where the number comes from."""


def downloads(scale: Scale) -> list[DiskItem]:
    """What is fetched; 0 bytes for what is on this machine already."""
    judge, models = scale.params.judge, [scale.model]
    if scale.lens_model.name != scale.model.name:
        models.append(scale.lens_model)
    items = [_weights(model) for model in models]
    for name, revision in (
        (judge.clap, judge.clap_revision),
        (judge.tagger, judge.tagger_revision),
        (judge.second_tagger, judge.second_tagger_revision),
    ):
        if name is None:
            continue
        size, here = judge_bytes(name, revision)
        note = "on this machine" if here else "size of the published file"
        items.append(DiskItem(name, 0 if here else size, note if size is not None else "not known"))
    if isinstance(scale.params.corpus, MtgJamendoCorpus):
        shards = scale.params.corpus.shards
        count = len(shards)
        items.append(
            DiskItem(
                f"MTG-Jamendo, {counted(count, 'shard')}",
                _shard_bytes(scale),
                "estimate: tracks x mean size",
            )
        )
    return items


def _weights(model: ModelSize) -> DiskItem:
    if model.here:
        return DiskItem(model.name, 0, "on this machine")
    return DiskItem(model.name, model.file_bytes, model.known)


def _shard_bytes(scale: Scale) -> int:
    corpus = scale.params.corpus
    assert isinstance(corpus, MtgJamendoCorpus)
    return TRACKS_OF_A_SHARD * TRACK_BYTES * len(corpus.shards)


def folders(scale: Scale) -> list[DiskItem]:
    """Bytes of each folder that a run writes; formulas, held to the shipped experiment by tests."""
    made = [
        DiskItem("data/corpus", *_corpus(scale)),
        DiskItem("data/features", _features(scale), "tracks x seconds x 50 x 14 x 4 bytes"),
        DiskItem(
            "data/activations",
            activation_bytes(scale),
            f"sites x contexts x frames x width x size; {counted(store_size(scale).files, 'file')}",
        ),
        DiskItem("data/sae", sae_bytes(scale), "autoencoders x contexts x frames x 8 k"),
        DiskItem("data/clips", _clips(scale), "at most; equal clips share a file"),
        DiskItem("data/lens", _lens(scale), "layers x ways x kept prompts x seconds"),
        DiskItem("data/swap_clips", _swap_clips(scale), "kept clips x seconds"),
    ]
    heard = sum(item.bytes or 0 for item in made[-3:])
    made.append(DiskItem("data/report", heard, "the clips once more, at most"))
    known = sum(item.bytes or 0 for item in made)
    fetched = _shard_bytes(scale) if isinstance(scale.params.corpus, MtgJamendoCorpus) else 0
    again = fetched + activation_bytes(scale) * (
        len(scale.models) + scale.params.probes.random_weights
    )
    return [
        *made,
        DiskItem(".dvc/cache", known, "data/ again, unless blocks are shared"),
        DiskItem(
            ".leitmotif",
            again + _codes(scale) + _lens_work(scale),
            "activations of all models, tokens, shards, what the lens and the swaps have played",
        ),
    ]


def activation_bytes(scale: Scale) -> int:
    """Tensors of data/activations with their headers, of one model."""
    return store_size(scale).bytes


def store_size(scale: Scale) -> StoreSize:
    """The store of data/activations in numbers."""
    return StoreSize(
        tracks=scale.tracks,
        sites=len(scale.sites),
        contexts=scale.contexts,
        context_frames=scale.context_frames,
        frame_rate=scale.model.frame_rate,
        width=scale.model.decoder.width,
        number_bytes=BYTES[scale.params.activations.dtype],
    )


def sae_bytes(scale: Scale) -> int:
    """Active features of every autoencoder, with an offset a frame."""
    frames = scale.contexts * scale.context_frames
    return sum(
        frames * ((hook.k or 0) * ENTRY_BYTES + 8) + scale.tracks * HEADER_BYTES
        for hook in scale.hooks
    )


def _corpus(scale: Scale) -> tuple[int | None, str]:
    match scale.params.corpus:
        case MtgJamendoCorpus():
            return _shard_bytes(scale), "estimate: tracks x mean size"
        case FolderCorpus(path=path):
            folder = Path(path)
            size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            return (size if folder.is_dir() else None), "the recordings themselves"
        case _:
            pieces = scale.params.corpus.pieces
            return round(pieces * scale.track_seconds * MP3_BYTES_A_SECOND), "pieces x seconds"


def _features(scale: Scale) -> int:
    frames = scale.track_seconds * CHROMA_FRAMES
    return round(scale.tracks * (frames * FEATURE_BYTES + FEATURE_HEADER))


def _clips(scale: Scale) -> int:
    settings = scale.params.interventions
    kept = min(settings.kept_tracks, scale.pieces) * settings.seeds
    conditions = sum(
        scale.conditions(of_features=name == scale.params.model.name) for name in scale.models
    )
    seconds = scale.prefix_frames / scale.model.frame_rate + settings.seconds
    return round(kept * conditions * seconds * scale.model.sample_rate * WAV_BYTES)


def _lens(scale: Scale) -> int:
    settings = scale.params.decoderlens
    kept = min(settings.kept_prompts, settings.prompts) * len(scale.concepts.concepts)
    ways = 4 * scale.lens_model.decoder.layers - 2
    return round(kept * ways * settings.seconds * scale.lens_model.sample_rate * WAV_BYTES)


def _swap_clips(scale: Scale) -> int:
    settings = scale.params.swaps
    kept = scale.params.decoderlens.kept_prompts
    if settings.pairs is None:  # the sweep has one prompt of each concept
        clips = min(kept, settings.prompts) * len(kept_clips(scale.swap_sweep, 1))
    else:
        clips = len(kept_clips(scale.swap_sweep, kept))
    return round(clips * settings.seconds * scale.lens_model.sample_rate * WAV_BYTES)


def _lens_work(scale: Scale) -> int:
    """What both experiments on concepts keep for a killed run.

    Of the lens logits, maps and the audio that is kept; of the swaps the means of components for
    each set of prompts, beside which a few numbers a clip do not count.
    """
    params, model = scale.params, scale.lens_model
    taggers = 1 if params.judge.second_tagger is None else 2
    clips = params.decoderlens.prompts * len(scale.concepts.concepts)
    ways = 4 * model.decoder.layers - 2
    logits = clips * ways * taggers * AUDIOSET_LABELS * 8
    sweep, held = scale.swap_sweep, model.footprint(params.model)
    steps = held.steps(params.swaps.seconds)
    each = steps * model.decoder.width * BYTES[params.model.dtype_beside]
    means = len(sweep.pairs.sets) * len(sweep.sites) * each
    return logits + map_bytes(model.decoder) + _lens(scale) + _swap_clips(scale) + means


def _codes(scale: Scale) -> int:
    """Tokens, int32 [K, frames], of contexts and of continuations."""
    settings, books = scale.params.interventions, scale.model.decoder.codebooks
    frames = scale.contexts * scale.context_frames
    clips = scale.approach_conditions * scale.pieces * settings.seeds + sum(
        scale.clips(of_features=name == scale.params.model.name) for name in scale.models
    )
    new = scale.prefix_frames + round(settings.seconds * scale.model.frame_rate)
    return 4 * books * (frames + clips * new)
