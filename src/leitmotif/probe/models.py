"""The models that are probed beside the one under study, read as the activations stage reads it."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from leitmotif.config import ActivationsParams, ModelParams
from leitmotif.corpus.tables import ManifestTrack
from leitmotif.errors import ProbeError
from leitmotif.musicgen.hooked import HookedMusicGen
from leitmotif.probe.baseline import shuffle_weights
from leitmotif.store.build import StoreBuilder
from leitmotif.store.cache import WorkCache
from leitmotif.store.reader import ActivationStore

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
) -> Iterator[dict[str, ActivationStore]]:
    """Give a store for each comparison, a folder of a model with the same codec, by its name.

    With ``random_weights`` also for the model under study with its weights shuffled. What has been
    read before comes from the work cache; the stores vanish with the context. Raises ModelError,
    and ProbeError for a track that cannot be read.
    """
    with ExitStack() as stack:
        stores = {}
        settings = {
            Path(folder).name: model.model_copy(update={"name": folder, "revision": None})
            for folder in comparisons
        }
        if random_weights:
            settings[RANDOM_WEIGHTS] = model
        for name, chosen in settings.items():
            loaded = HookedMusicGen.from_pretrained(
                chosen.name,
                revision=chosen.revision,
                device=chosen.device,
                dtype=chosen.dtype,
                text_padding=chosen.text_padding,
            )
            if name == RANDOM_WEIGHTS:
                shuffle_weights(loaded, seed=seed)
            builder = StoreBuilder(
                loaded,
                params=activations,
                model_params=chosen,
                audio_root=audio_root,
                cache=WorkCache(cache),
            )
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="leitmotif-")))
            failures = builder.build(folder, tracks).failures
            if failures:
                track, error = failures[0]
                raise ProbeError(
                    f"{name} cannot read track {track.track_id}",
                    found=error,
                    fix="run `dvc repro features`, which names unusable recordings",
                )
            stores[name] = ActivationStore(folder)
        yield stores
