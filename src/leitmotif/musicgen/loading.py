"""The model that settings name."""

from functools import lru_cache
from typing import TYPE_CHECKING

from leitmotif.checkpoints.folders import files_of
from leitmotif.errors import ModelError
from leitmotif.musicgen.hooked import HookedMusicGen

if TYPE_CHECKING:
    from leitmotif.config import ModelParams


def load_model(model: "ModelParams") -> HookedMusicGen:
    """Load a model of one's own; raises ModelError, also for a stereo model.

    Stages read and judge mono audio, of which a stereo model has no codes of its own.
    """
    loaded = HookedMusicGen.from_pretrained(
        model.name,
        revision=model.revision,
        device=model.device,
        dtype=model.dtype,
        text_padding=model.text_padding,
    )
    if loaded.channels > 1:
        raise ModelError(
            "the pipeline does not run on stereo models",
            found=f"{model.name}, of {loaded.channels} channels",
            expected="a mono MusicGen: the stages read and judge mono audio",
            fix="name the mono checkpoint of this size; import leitmotif loads stereo ones too",
        )
    return loaded.count_from(round(model.position_seconds * loaded.frame_rate))


def shared_model(model: "ModelParams") -> HookedMusicGen:
    """Load a model once in this process, which keeps the last; nobody may change it."""
    return _shared(model, files_of(model.name))


@lru_cache(maxsize=1)
def _shared(model: "ModelParams", files: object) -> HookedMusicGen:
    return load_model(model)
