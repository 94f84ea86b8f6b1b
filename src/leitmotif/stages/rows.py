"""The rows and horizons of this folder's experiment, as the probing stages share them."""

from collections.abc import Sequence

from leitmotif.config import ProbesParams
from leitmotif.files import read_table
from leitmotif.probe.registry import ControlSettings
from leitmotif.probe.rows import Rows, gather, read_sounds
from leitmotif.probe.targets import Horizon
from leitmotif.stages import COVERAGE, FEATURES, LABELS
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.labels import Coverage, Label


def horizons_of(settings: ProbesParams) -> list[Horizon]:
    """The horizons, the nearest first."""
    return [
        Horizon(f"{after:g}-{until:g}s", after, until) for after, until in sorted(settings.horizons)
    ]


def claimed_horizon(settings: ProbesParams) -> Horizon:
    """The nearest horizon of which a claim is made; where there is none, the furthest."""
    horizons = horizons_of(settings)
    far = [horizon for horizon in horizons if horizon.after >= settings.minimum_seconds]
    return far[0] if far else horizons[-1]


def gather_rows(
    settings: ProbesParams, tracks: Sequence[ManifestTrack], controls: ControlSettings
) -> Rows:
    """The rows of this folder's experiment."""
    return gather(
        tracks,
        read_sounds(FEATURES, tracks),
        read_table(LABELS, Label),
        read_table(COVERAGE, Coverage),
        horizons=horizons_of(settings),
        settings=controls,
        start_seconds=settings.start_seconds,
        stride=settings.stride,
        exploratory=settings.exploratory,
    )
