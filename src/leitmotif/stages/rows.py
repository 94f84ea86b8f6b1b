"""The rows of this folder's experiment, as the probing stages share them."""

from collections.abc import Sequence

from leitmotif.claims import Claims
from leitmotif.config import ProbesParams
from leitmotif.files import read_table
from leitmotif.pipeline import ACTIVATIONS, COVERAGE, FEATURES, LABELS
from leitmotif.probe.inputs.registry import ControlSettings
from leitmotif.probe.inputs.rows import Rows, gather, read_sounds
from leitmotif.store.reading.reader import ActivationStore
from leitmotif.tables.corpus import ManifestTrack
from leitmotif.tables.labels import Coverage, Label


def gather_rows(
    settings: ProbesParams, tracks: Sequence[ManifestTrack], controls: ControlSettings
) -> Rows:
    """The rows of this folder's experiment."""
    return gather(
        tracks,
        read_sounds(FEATURES, tracks),
        read_table(LABELS, Label),
        read_table(COVERAGE, Coverage),
        timing=ActivationStore(ACTIVATIONS).timing,
        horizons=Claims.of(settings).horizons,
        settings=controls,
        start_seconds=settings.start_seconds,
        stride=settings.stride,
        exploratory=settings.exploratory,
    )
