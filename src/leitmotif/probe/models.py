"""The models that are probed beside the one under study, read as the activations stage reads it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import KW_ONLY, dataclass
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

from leitmotif.config import ActivationsParams, ModelParams
from leitmotif.corpus.tables import ManifestTrack
from leitmotif.errors import ProbeError
from leitmotif.files import write_table
from leitmotif.musicgen.hooked import HookedMusicGen
from leitmotif.parallel import in_processes
from leitmotif.probe.baseline import shuffle_weights
from leitmotif.progress import progress
from leitmotif.store.build import StoreBuilder
from leitmotif.store.cache import WorkCache
from leitmotif.store.index import INDEX, IndexRow
from leitmotif.store.reader import ActivationStore

RANDOM_WEIGHTS = "random_weights"
_TRACKS = 10
"""That a process reads before it is given others."""


@dataclass(frozen=True)
class Comparison:
    """A model that is compared, and how it reads."""

    name: str
    model: ModelParams
    seed: int | None = None
    """With which its weights are shuffled; None: as they are."""
    _: KW_ONLY
    activations: ActivationsParams
    audio_root: Path
    cache: Path


@dataclass(frozen=True)
class Part:
    """Some tracks of a comparison, and the folder of its store."""

    comparison: Comparison
    tracks: Sequence[ManifestTrack]
    out: Path


@contextmanager
def compared_models(
    comparisons: Sequence[str],
    *,
    model: ModelParams,
    activations: ActivationsParams,
    tracks: Sequence[ManifestTrack],
    audio_root: Path,
    cache: Path,
    random_weights: bool,
    seed: int,
) -> Iterator[Mapping[str, ActivationStore]]:
    """Give a store for each comparison, a folder of a model with the same codec, by its name.

    With ``random_weights`` also for the model under study with its weights shuffled. What has been
    read before comes from the work cache, what has not is read by several processes; the stores
    vanish with the context. Raises ModelError, and ProbeError for a track that cannot be read.
    """
    settings = {
        Path(folder).name: model.model_copy(update={"name": folder, "revision": None})
        for folder in comparisons
    }
    made = partial(Comparison, activations=activations, audio_root=audio_root, cache=cache)
    models = [made(name, chosen) for name, chosen in settings.items()]
    if random_weights:
        models.append(made(RANDOM_WEIGHTS, model, seed=seed))
    with ExitStack() as stack:
        folders = [
            Path(stack.enter_context(TemporaryDirectory(prefix="leitmotif-"))) for _ in models
        ]
        # One model after the other, so that a process loads each once.
        parts = [
            Part(one, tracks[first : first + _TRACKS], folder)
            for one, folder in zip(models, folders, strict=True)
            for first in range(0, len(tracks), _TRACKS)
        ]
        workers = None if model.device == "cpu" else 1  # a GPU has room for one model
        built = in_processes(_build, parts, workers=workers)
        rows: dict[Path, list[IndexRow]] = {folder: [] for folder in folders}
        for part, of_part in zip(
            parts, progress(built, "comparisons", total=len(parts)), strict=True
        ):
            rows[part.out] += of_part
        for folder in folders:
            write_table(folder / INDEX, rows[folder])
        yield {
            one.name: ActivationStore(folder) for one, folder in zip(models, folders, strict=True)
        }


def _build(part: Part) -> list[IndexRow]:
    """Add the tracks to the store, all but its index, of which the rows are returned."""
    one = part.comparison
    builder = StoreBuilder(
        _loaded(one.model, one.seed),
        params=one.activations,
        model_params=one.model,
        audio_root=one.audio_root,
        cache=WorkCache(one.cache),
    )
    made = builder.build(part.out, part.tracks)
    for track, error in made.failures:
        raise ProbeError(
            f"{one.name} cannot read track {track.track_id}",
            found=error,
            fix="run `dvc repro features`, which names unusable recordings",
        )
    return made.rows


@lru_cache(maxsize=1)
def _loaded(model: ModelParams, seed: int | None) -> HookedMusicGen:
    """The model of some settings, its weights shuffled with a seed; a process keeps the last."""
    loaded = HookedMusicGen.from_pretrained(
        model.name,
        revision=model.revision,
        device=model.device,
        dtype=model.dtype,
        text_padding=model.text_padding,
    )
    return loaded if seed is None else shuffle_weights(loaded, seed=seed)
