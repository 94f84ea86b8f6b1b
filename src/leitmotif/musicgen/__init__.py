"""MusicGen with hook points: the model that this project reads and changes."""

from leitmotif.musicgen.activation_cache import ActivationCache
from leitmotif.musicgen.choice import HookPoint
from leitmotif.musicgen.generate import Generation
from leitmotif.musicgen.hooked import HookedMusicGen
from leitmotif.musicgen.intervention import Intervention, Replayable
from leitmotif.musicgen.sampling import GREEDY, Sampling

__all__ = [
    "GREEDY",
    "ActivationCache",
    "Generation",
    "HookPoint",
    "HookedMusicGen",
    "Intervention",
    "Replayable",
    "Sampling",
]
