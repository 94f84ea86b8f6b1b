"""What the listening report is made of, as the stage and the command read it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from leitmotif.config import Params
from leitmotif.pipeline import (
    ALIGNMENT,
    APPROACHES,
    CALIBRATION,
    CANDIDATES,
    CORPUS,
    COVERAGE,
    DECODERLENS,
    EFFECTS,
    FEATURES,
    INTERCHANGE,
    INTERVENTIONS,
    LABELS,
    LAYER_SIMILARITY,
    LENS,
    LENS_DIVERGENCE,
    MANIFEST,
    PROBES,
    SAE,
    SWAP_CLIPS,
    SWAP_SUMMARY,
    SWAPS,
    VERDICTS,
)
from leitmotif.report.features.pages import PageSources
from leitmotif.report.features.sources import FeaturePaths, feature_sources
from leitmotif.report.lens.sources import LensPaths, LensSources, read_lens
from leitmotif.report.material import ReportFiles, ReportMaterial, read_material
from leitmotif.report.swaps.sources import SwapPaths, SwapSources, read_swaps
from leitmotif.report.tracks import TABLES, TrackSources, read_tracks
from leitmotif.stages.tracks import tracks_with_activations

FILES = ReportFiles(
    log=INTERVENTIONS,
    manifest=MANIFEST,
    alignment=ALIGNMENT,
    probes=PROBES,
    calibration=CALIBRATION,
    interchange=INTERCHANGE,
    effects=EFFECTS,
    verdicts=VERDICTS,
    approaches=APPROACHES,
)
PLACES = FeaturePaths(
    corpus=CORPUS,
    features=FEATURES,
    encoded=SAE,
    candidates=CANDIDATES,
    verdicts=VERDICTS,
    labels=LABELS,
    coverage=COVERAGE,
    alignment=ALIGNMENT,
)
LENS_PATHS = LensPaths(
    recognition=DECODERLENS, divergence=LENS_DIVERGENCE, similarity=LAYER_SIMILARITY, clips=LENS
)

SWAP_PATHS = SwapPaths(swaps=SWAPS, summary=SWAP_SUMMARY, clips=SWAP_CLIPS)


@dataclass(frozen=True)
class Reported:
    """The contents of the outputs; parts that an experiment lacks are None."""

    material: ReportMaterial
    features: PageSources | None
    lens: LensSources | None
    swaps: SwapSources | None
    tracks: TrackSources


def read_reported(params: Params) -> Reported:
    """Read the outputs; raises LeitmotifError for one that is missing or cannot be read."""
    heard = params.decoderlens.model or params.model.name
    return Reported(
        features=feature_sources(params, tracks_with_activations(), PLACES),
        lens=read_lens(LENS_PATHS, heard),
        swaps=read_swaps(SWAP_PATHS, heard),
        tracks=read_tracks(params),
        material=read_material(FILES),
    )


def inputs() -> Iterator[Path]:
    """Paths of all outputs that the report reads."""
    for paths in (FILES, PLACES, LENS_PATHS, SWAP_PATHS):
        yield from vars(paths).values()
    yield from TABLES
