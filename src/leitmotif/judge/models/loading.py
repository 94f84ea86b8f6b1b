"""The judges that settings name."""

from functools import lru_cache
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
    """Load the tagger once in this process, which keeps the last; raises ModelError."""
    return _tagger(judge, files_of(judge.tagger), dtype)


@lru_cache(maxsize=1)
def _clap(judge: "JudgeParams", files: object, dtype: Precision) -> Clap:
    return Clap.from_pretrained(
        judge.clap, revision=judge.clap_revision, device=judge.device, dtype=dtype
    )


@lru_cache(maxsize=1)
def _tagger(judge: "JudgeParams", files: object, dtype: Precision) -> Tagger:
    return Tagger.from_pretrained(
        judge.tagger, revision=judge.tagger_revision, device=judge.device, dtype=dtype
    )
