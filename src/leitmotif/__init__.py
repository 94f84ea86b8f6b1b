"""Leitmotif: do autoregressive music models foresee long-horizon structure?

``import leitmotif`` is enough for a notebook. Each name in ``__all__`` is imported when it is first
used, so the import itself takes milliseconds and loads neither torch nor a model:

>>> import leitmotif
>>> model = leitmotif.HookedMusicGen.from_pretrained("models/organism/planner")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leitmotif.audio.decode import load_audio
    from leitmotif.judge.models import Clap, Tagger
    from leitmotif.musicgen import (
        GREEDY,
        ActivationCache,
        HookedMusicGen,
        Intervention,
        Replayable,
        Sampling,
    )
    from leitmotif.notebook.listening import listen
    from leitmotif.notebook.pieces import compose
    from leitmotif.notebook.plots import (
        plot_activations,
        plot_attention,
        plot_similarity,
        plot_waveform,
    )
    from leitmotif.notebook.proposals import propose
    from leitmotif.probe.estimators.effects import PartialEffects
    from leitmotif.probe.estimators.expansion import expand
    from leitmotif.probe.estimators.naive import NaiveCorrelation
    from leitmotif.probe.estimators.nested import NestedRidge
    from leitmotif.sae.autoencoder import SparseAutoencoder, load_sae
    from leitmotif.store.reading import ActivationStore

__version__ = "0.1.0"

__all__ = [
    "GREEDY",
    "ActivationCache",
    "ActivationStore",
    "Clap",
    "HookedMusicGen",
    "Intervention",
    "NaiveCorrelation",
    "NestedRidge",
    "PartialEffects",
    "Replayable",
    "Sampling",
    "SparseAutoencoder",
    "Tagger",
    "compose",
    "expand",
    "listen",
    "load_audio",
    "load_sae",
    "plot_activations",
    "plot_attention",
    "plot_similarity",
    "plot_waveform",
    "propose",
]

_MODULES = {
    "audio.decode": ("load_audio",),
    "notebook.listening": ("listen",),
    "notebook.pieces": ("compose",),
    "notebook.plots": ("plot_activations", "plot_attention", "plot_similarity", "plot_waveform"),
    "judge.models": ("Clap", "Tagger"),
    "musicgen": (
        "GREEDY",
        "ActivationCache",
        "HookedMusicGen",
        "Intervention",
        "Replayable",
        "Sampling",
    ),
    "probe.estimators.effects": ("PartialEffects",),
    "probe.estimators.expansion": ("expand",),
    "probe.estimators.naive": ("NaiveCorrelation",),
    "probe.estimators.nested": ("NestedRidge",),
    "notebook.proposals": ("propose",),
    "sae.autoencoder": ("SparseAutoencoder", "load_sae"),
    "store.reading": ("ActivationStore",),
}
"""Where the names are, below this package."""
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a name of ``__all__`` at its first use; raises AttributeError for any other."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, those that are not imported yet included."""
    return sorted({*globals(), *__all__})
