"""Places that are not a user's own: what a stage makes, and what git and DVC keep for themselves.

DVC deletes a stage's outputs before it runs the stage, with whatever else lies in them.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leitmotif.errors import LeitmotifError
from leitmotif.files.yaml_files import read_stages

PIPELINE = "dvc.yaml"
_KEPT = {".git": "git keeps for itself", ".dvc": "DVC keeps for itself"}
_COPIES = (".dvc", "tmp", "exps")
"""Where DVC puts the copies of a checkout in which queued experiments run."""
_RUNNING = "DVC_STAGE"
"""Names the stage, for the commands that DVC runs."""


def stage_outs(stage: Mapping[str, Any]) -> list[str]:
    """Paths that a stage of dvc.yaml makes: outs, metrics and plots."""
    entries = [entry for kind in ("outs", "metrics", "plots") for entry in stage.get(kind) or []]
    return [entry if isinstance(entry, str) else str(next(iter(entry))) for entry in entries]


def owner_of(path: Path) -> str | None:
    """What owns a place, in words that follow "a place that"; None if it is the user's.

    Pipelines are looked for in all folders above it. One that cannot be read owns nothing. A stage
    that DVC runs owns its outputs itself, and may write them by any command.
    """
    real = Path(os.path.realpath(path))
    for number, part in enumerate(real.parts):
        if part in _KEPT and not _in_copy(real.parts[number:]):
            return _KEPT[part]
    running = os.environ.get(_RUNNING, "").rpartition(":")[2]
    for root in real.parents:
        if not (root / PIPELINE).is_file():
            continue
        for stage, out in _outs(root / PIPELINE):
            if stage != running and real.is_relative_to(os.path.normpath(root / out)):
                return f"the stage {stage} writes, {out}: its content is deleted when it runs"
    return None


def _in_copy(parts: tuple[str, ...]) -> bool:
    """Whether a path from ``.dvc`` on lies in a queued experiment's copy of the checkout."""
    return parts[: len(_COPIES)] == _COPIES and len(parts) > len(_COPIES) + 1


def _outs(pipeline: Path) -> list[tuple[str, str]]:
    """Each stage with each of its outputs."""
    try:
        stages = read_stages(pipeline)
        return [(name, out) for name, stage in stages.items() for out in stage_outs(stage)]
    except (LeitmotifError, TypeError, StopIteration):
        return []
