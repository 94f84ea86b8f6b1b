"""The activation store: written once per experiment, read by every later stage."""

from leitmotif.store.integrity import Problem, verify
from leitmotif.store.reader import ActivationStore

__all__ = ["ActivationStore", "Problem", "verify"]
