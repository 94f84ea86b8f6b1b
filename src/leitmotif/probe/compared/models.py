"""The models that are probed beside the one under study, read as the activations stage reads it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

from leitmotif.checkpoints.folders import files_of
from leitmotif.config import ActivationsParams, ModelParams
from leitmotif.errors import ProbeError
from leitmotif.musicgen.hooked import HookedMusicGen
from leitmotif.musicgen.loading import load_model, shared_model
from leitmotif.probe.compared.baseline import shuffle_weights
from leitmotif.store.reading.index import StoreRow, write_index
from leitmotif.store.reading.reader import ActivationStore
from leitmotif.store.writing.parts import StoreReading, built
from leitmotif.tables.corpus import ManifestTrack

RANDOM_WEIGHTS = "random_weights"


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
    models: dict[str, tuple[ModelParams, Callable[[], HookedMusicGen]]] = {}
    for folder in comparisons:
        other = model.model_copy(update={"name": folder, "revision": None})
        models[Path(folder).name] = other, partial(shared_model, other)
    if random_weights:
        models[RANDOM_WEIGHTS] = model, partial(_shuffled, model, files_of(model.name), seed)
    with ExitStack() as stack:
        stores = {}
        for name, (settings, load) in models.items():
            out = Path(stack.enter_context(TemporaryDirectory(prefix="leitmotif-")))
            reading = StoreReading(load, settings, activations, audio_root, cache)
            write_index(out, _read(name, reading, out, tracks))
            stores[name] = ActivationStore(out)
        yield stores


def _read(
    name: str, reading: StoreReading, out: Path, tracks: Sequence[ManifestTrack]
) -> Iterator[StoreRow]:
    for part in built(reading, out, tracks, shown=f"activations of {name}"):
        for track, error in part.failures:
            raise ProbeError(
                f"{name} cannot read track {track.track_id}",
                found=error,
                fix="run `dvc repro features`, which names unusable recordings",
            )
        yield from part.rows


@lru_cache(maxsize=1)
def _shuffled(model: ModelParams, files: object, seed: int) -> HookedMusicGen:
    """The model with its weights shuffled; a process keeps the last."""
    return shuffle_weights(load_model(model), seed=seed)
