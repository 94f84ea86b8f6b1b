"""Reading and verifying an activation store."""

from leitmotif.store.reading.integrity import Problem, verify
from leitmotif.store.reading.reader import ActivationStore

__all__ = ["ActivationStore", "Problem", "verify"]
