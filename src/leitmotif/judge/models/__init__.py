"""The judges, CLAP and an audio tagger, and how alike two clips sound to CLAP."""

from leitmotif.judge.models.clap import Clap
from leitmotif.judge.models.tagger import Tagger

__all__ = ["Clap", "Tagger"]
