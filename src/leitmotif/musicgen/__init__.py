"""MusicGen with hook points: the model that this project reads and changes."""

from leitmotif.musicgen.choice import HookPoint
from leitmotif.musicgen.generate import GREEDY, Generation, Sampling
from leitmotif.musicgen.hooked import HookedMusicGen
from leitmotif.musicgen.hooks import ActivationCache, Intervention

__all__ = [
    "GREEDY",
    "ActivationCache",
    "Generation",
    "HookPoint",
    "HookedMusicGen",
    "Intervention",
    "Sampling",
]
