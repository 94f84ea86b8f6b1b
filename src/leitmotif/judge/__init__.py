"""What generated audio sounds like, by other models' ears: CLAP, an audio tagger, and measures."""

from leitmotif.judge.clap import Clap
from leitmotif.judge.tagger import Tagger

__all__ = ["Clap", "Tagger"]
