"""The judges that settings name."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from leitmotif.checkpoints.folders import files_of
from leitmotif.judge.models.checkpoint import Precision
from leitmotif.judge.models.clap import Clap
from leitmotif.judge.models.tagger import Tagger

if TYPE_CHECKING:
    from leitmotif.config import JudgeParams


def shared_clap(judge: "JudgeParams", dtype: Precision) -> Clap:
    """Load CLAP once in this process, which keeps the last; raises ModelError."""
    return _clap(judge, files_of(judge.clap), dtype)


def shared_tagger(judge: "JudgeParams", dtype: Precision) -> Tagger:
    """Load the tagger once in this process, which keeps the last two; raises ModelError."""
    return _tagger(judge.tagger, judge.tagger_revision, judge.device, files_of(judge.tagger), dtype)


def second_tagger_of(judge: "JudgeParams", dtype: Precision) -> Callable[[], Tagger] | None:
    """What loads the second tagger, as ``shared_tagger`` does; None if settings name none."""
    name = judge.second_tagger
    if name is None:
        return None
    return partial(_tagger, name, judge.second_tagger_revision, judge.device, files_of(name), dtype)


@lru_cache(maxsize=1)
def _clap(judge: "JudgeParams", files: object, dtype: Precision) -> Clap:
    return Clap.from_pretrained(
        judge.clap, revision=judge.clap_revision, device=judge.device, dtype=dtype
    )


@lru_cache(maxsize=2)
def _tagger(
    name: str, revision: str | None, device: str, files: object, dtype: Precision
) -> Tagger:
    return Tagger.from_pretrained(name, revision=revision, device=device, dtype=dtype)
