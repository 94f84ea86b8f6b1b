"""What is known of an experiment's tracks, from the recordings given to the pieces continued."""

from dataclasses import dataclass

from leitmotif.causal.experiment.outlook import OpeningCounts
from leitmotif.config import Params
from leitmotif.tables.corpus import Exclusion, Failure, ManifestTrack
from leitmotif.tables.effects import EffectRow
from leitmotif.tables.labels import Coverage, Label
from leitmotif.tables.probes import HorizonRow
from leitmotif.tables.proposals import Proposal
from leitmotif.timing.frames import AS_MUSICGEN, Timing


@dataclass(frozen=True)
class Known:
    """Tables of the present settings; None stands for what is not known yet."""

    params: Params | None = None
    """Settings that are ``auto`` are settled as soon as labels are known."""
    files: int | None = None
    """Recordings in the folder at this moment; None for other corpora."""
    given: int | None = None
    """Recordings that the stage ``corpus`` found, those that it could not use included."""
    verified: int | None = None
    """Recordings that it could use."""
    manifest: list[ManifestTrack] | None = None
    excluded: list[Exclusion] | None = None
    failures: list[Failure] | None = None
    """Tracks that the stage ``features`` could not use, and those of ``corpus``."""
    unread: list[Failure] | None = None
    """Tracks that the model could not read."""
    proposals: list[Proposal] | None = None
    labels: list[Label] | None = None
    coverage: list[Coverage] | None = None
    timing: Timing = AS_MUSICGEN
    horizons: list[HorizonRow] | None = None
    effects: list[EffectRow] | None = None
    tried: OpeningCounts | None = None
    """What the openings of recordings said to the model under study."""
