"""Settings of the probes, and of the measurement of their error rates."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from leitmotif.config.section import Settings
from leitmotif.sites import Site

LEAST_FOLDS = 3


class ProbesParams(Settings):
    """How features are tested for information about future recurrences beyond the controls."""

    horizons: Annotated[list[list[float]], Field(min_length=1)]
    """Pairs [after, until] in seconds: a recurrence counts if its onset lies that far ahead."""
    minimum_seconds: Annotated[float, Field(ge=0)]
    """Horizons that begin nearer than this are reported as continuity, without a claim."""
    start_seconds: Annotated[float, Field(ge=0)]
    """Time of the first row in a context. On the organism it is after the cue."""
    stride: Annotated[int, Field(ge=1)]
    """Decoder steps from one row to the next."""
    folds: Annotated[int, Field(ge=LEAST_FOLDS)]
    """Number of folds; each needs at least 4 tracks. ``auto``: 5, or as many as tracks allow."""
    permutations: Annotated[int, Field(ge=99)]
    """Number of exchanges of tracks for each site's p-value; ``leitmotif.claims`` states how many
    a claim needs."""
    shifts: Annotated[int, Field(ge=99)]
    """Number of circular shifts for each feature's ``p_shift``."""
    alpha: Annotated[float, Field(gt=0, lt=1)]
    """Error rate of the tests, and false discovery rate of the candidates."""
    seeds: Annotated[int, Field(ge=1)]
    """Number of splits into folds over which a candidate's stability is measured."""
    least_active: Annotated[float, Field(ge=0, le=1)]
    """Minimum share of tracks in which an autoencoder's feature must be active to be tested."""
    candidates: Annotated[int, Field(ge=1)]
    """Maximum number of candidates at each of the two horizons."""
    comparisons: list[str]
    """Folders of other models with the same codec, which are probed in the same way."""
    random_weights: bool
    """Also probe the model under study with its weights shuffled."""
    exploratory: bool
    """Use tracks with undecided proposals; every result then says so."""
    seed: Annotated[int, Field(ge=0)]

    @field_validator("horizons")
    @classmethod
    def _ahead(cls, horizons: list[list[float]]) -> list[list[float]]:
        for pair in horizons:
            if len(pair) != 2 or not 0 <= pair[0] < pair[1]:
                raise ValueError(f"{pair} is no pair [after, until] with 0 <= after < until")
        return horizons

    @field_validator("comparisons")
    @classmethod
    def _distinct(cls, folders: list[str]) -> list[str]:
        names = [Path(folder).name for folder in folders]
        if len(set(names)) < len(names):
            raise ValueError(f"two folders of one name: {', '.join(names)}")
        return folders


class CalibrationParams(Settings):
    """How the error rates and the power of the probes' tests are measured."""

    site: Site
    """Site whose activations the features without foresight are made from."""
    targets: Annotated[int, Field(ge=10)]
    """Number of targets that are drawn; error rates and their intervals are over them."""
    each: Annotated[int, Field(ge=1)]
    """Number of features of every kind, and of every planted strength, for each target."""
    strengths: Annotated[list[Annotated[float, Field(gt=0, lt=1)]], Field(min_length=1)]
    """Partial correlations of the planted features."""
    permutations: Annotated[int, Field(ge=99)]
    seed: Annotated[int, Field(ge=0)]
