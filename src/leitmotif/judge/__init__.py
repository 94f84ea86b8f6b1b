"""Judges of generated audio: CLAP, an audio tagger, and measures computed from their outputs."""

from leitmotif.judge.clap import Clap
from leitmotif.judge.tagger import Tagger

__all__ = ["Clap", "Tagger"]
