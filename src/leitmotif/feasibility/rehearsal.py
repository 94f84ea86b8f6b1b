"""Whether a run only rehearses the workflow: recordings, and a model that does not hear them."""

from pathlib import Path

from leitmotif.config import Params

ORGANISMS = Path("models")
"""Models that this repository trained on music of its own; they know no other."""
REHEARSAL = (
    "a rehearsal: the model organism does not hear recordings, so results say nothing of music"
)
"""What status, results and report say of such a run."""


def is_rehearsal(params: Params) -> bool:
    """Whether recordings are read by one of the repository's organisms.

    Their codec was trained on composed music of a few tones, so they do not hear recordings.
    """
    return params.corpus.source != "organism" and ORGANISMS in Path(params.model.name).parents
