"""What is measured of a model on the rows of an experiment, horizon by horizon."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from leitmotif.intervals import Interval, interval_of, sign_flip_p, track_weights
from leitmotif.probe.estimators.expansion import expand
from leitmotif.probe.estimators.naive import NaiveCorrelation
from leitmotif.probe.estimators.nested import NestedRidge
from leitmotif.probe.estimators.selectivity import selectivity, sound_types
from leitmotif.probe.inputs.registry import ControlSettings
from leitmotif.probe.inputs.rows import Sample
from leitmotif.probe.panel.curves import Curves
from leitmotif.probe.panel.panel import Array, constant_columns, places, track_slices
from leitmotif.tables.probes import LeftOutRow, NaiveRow, SelectivityRow
from leitmotif.work.parallel import in_processes
from leitmotif.work.progress import progress

LOCAL = ("local_chroma", "local_energy", "onset_density")
"""Controls that make up the local sound of the selectivity task."""


@dataclass(frozen=True)
class ProbeSettings:
    """How the probes are fitted."""

    folds: int
    permutations: int
    shifts: int
    alpha: float
    seeds: int
    """Splits into folds over which a candidate's stability is counted."""
    seed: int


def varying(features: Array) -> tuple[Array, NDArray[np.int64]]:
    """Leave out features that never change: [rows, d'] and the numbers of those kept."""
    kept = np.setdiff1d(np.arange(features.shape[1]), constant_columns(features))
    return features[:, kept], kept


def expanded(sample: Sample, settings: ControlSettings, *, without: str | None = None) -> Curves:
    """Controls with curves, one of them left out if asked: [n, p']."""
    kept = [i for i, name in enumerate(sample.control_names) if name.split(".")[0] != without]
    values = varying(sample.controls[:, kept])[0]
    return expand(
        values,
        groups=sample.groups,
        knots=settings.knots,
        waves=settings.waves,
        interactions=settings.interactions,
    )


@dataclass(frozen=True)
class Fit:
    """What the probe of one site and horizon found."""

    r2_controls: Interval
    r2_full: Interval
    partial_r2: Interval
    auroc_controls: Interval | None
    auroc: Interval | None
    p: float
    by_controls: Array
    """[tracks], squared error of the controls alone."""
    by_all: Array
    """[tracks], squared error of controls and features."""
    null: Array
    """[permutations], partial R² after exchanges of tracks."""
    over_random_weights: Interval | None = None
    """By how much the partial R² exceeds that of random weights; None where it was not compared."""
    p_over_random_weights: float | None = None
    """Two-sided p-value of that, from flipping signs of tracks."""


Fits = dict[str, dict[str, Fit]]
"""Fits by site, then by horizon."""


def probe_sites(
    features: Mapping[str, Array],
    samples: Sequence[Sample],
    settings: ControlSettings,
    probing: ProbeSettings,
) -> Fits:
    """Fit ``NestedRidge`` at each site and horizon."""
    # One horizon after the other: its sites have the same controls, see ``algebra.Design``.
    cells = [(site, number) for number in range(len(samples)) for site in features]
    expansions = [expanded(sample, settings) for sample in samples]
    probed = in_processes(partial(_probed, features, samples, expansions, probing), cells)
    fits: Fits = {site: {} for site in features}
    shown = progress(probed, "sites and horizons", total=len(cells))
    for (site, number), fit in zip(cells, shown, strict=True):
        fits[site][samples[number].horizon.name] = fit
    return fits


def _probed(
    features: Mapping[str, Array],
    samples: Sequence[Sample],
    controls: Sequence[Curves],
    probing: ProbeSettings,
    cell: tuple[str, int],
) -> Fit:
    site, number = cell
    sample = samples[number]
    probe = NestedRidge(
        folds=probing.folds, permutations=probing.permutations, random_state=probing.seed
    )
    X = varying(features[site][sample.inside])[0]
    probe.fit(X, sample.y, controls=controls[number], groups=sample.groups)
    return _fit(probe, sample)


def track_errors(probe: NestedRidge, sample: Sample) -> tuple[Array, Array]:
    """Squared errors of each track [tracks], of the controls alone and with the features."""
    y = (sample.y - sample.y.mean())[:, np.newaxis]
    by_controls, by_all = (
        np.add.reduceat((y - predicted)[:, 0] ** 2, [track.start for track in sample.tracks])
        for predicted in (probe.predictions_controls_, probe.predictions_)
    )
    return by_controls, by_all


def errors_of(
    features: Sequence[Array], sample: Sample, settings: ControlSettings, probing: ProbeSettings
) -> list[tuple[Array, Array]]:
    """``track_errors`` with each of several sets of features [rows, n] of the experiment."""
    inside = [varying(X[sample.inside])[0] for X in features]
    return [*in_processes(partial(_errors, sample, expanded(sample, settings), probing), inside)]


def _errors(
    sample: Sample, controls: Curves, probing: ProbeSettings, X: Array
) -> tuple[Array, Array]:
    probe = NestedRidge(folds=probing.folds, permutations=0, random_state=probing.seed)
    probe.fit(X, sample.y, controls=controls, groups=sample.groups)
    return track_errors(probe, sample)


def _fit(probe: NestedRidge, sample: Sample) -> Fit:
    by_controls, by_all = track_errors(probe, sample)
    return Fit(
        probe.r2_controls_[0],
        probe.r2_full_[0],
        probe.partial_r2_[0],
        probe.auroc_controls_[0],
        probe.auroc_[0],
        float(probe.p_[0]),
        by_controls,
        by_all,
        probe.null_partial_r2_[:, 0],
    )


def over_baseline(fits: Fits, baseline: Fits, *, seed: int) -> None:
    """Add to each fit by how much its partial R² exceeds the baseline's at its site.

    Differences are taken track by track and resampled together, so that what both models read off
    the same past cancels.
    """
    for site, by_horizon in fits.items():
        for name, fit in list(by_horizon.items()):
            other = baseline[site][name]
            gained = other.by_all - fit.by_all
            weights = track_weights(len(gained), seed=seed)
            total = fit.by_controls.sum()
            resampled = (weights @ gained) / (weights @ fit.by_controls)
            over = interval_of(float(gained.sum() / total), resampled, tracks=len(gained))
            by_horizon[name] = replace(
                fit, over_random_weights=over, p_over_random_weights=sign_flip_p(gained)
            )


_CUSTOMARY = 0.05
"""Level at which a naive analysis calls a feature significant; no claim rests on it."""


def naive(features: Mapping[str, Array], y: Array, groups: NDArray[np.str_]) -> dict[str, NaiveRow]:
    """Pooled correlations, as they are often reported, by site; beside them the place alone."""
    rows, place = {}, round(place_r2(y, groups), 4)
    for site, X in features.items():
        correlation = NaiveCorrelation().fit(varying(X)[0], y)
        share = float((correlation.q_ <= _CUSTOMARY).mean())
        rows[site] = NaiveRow(
            r2=round(correlation.r2_, 4), r2_place=place, significant_share=round(share, 4)
        )
    return rows


def place_r2(y: Array, groups: NDArray[np.str_]) -> float:
    """R² of the mean at each place in the track, over all rows [n] as a pooled correlation's."""
    at = places(track_slices(groups, rows=len(y)))
    means = np.bincount(at, weights=y) / np.bincount(at)
    return float(1 - ((y - means[at]) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def worth_of_controls(
    X: Array, sample: Sample, settings: ControlSettings, probing: ProbeSettings
) -> list[LeftOutRow]:
    """R² of the controls and partial R² of ``X`` with each control left out, and with none."""
    names = ["none", *dict.fromkeys(name.split(".")[0] for name in sample.control_names)]
    inside = varying(X[sample.inside])[0]
    worth = in_processes(partial(_worth, inside, sample, settings, probing), names)
    return list(progress(worth, "controls left out", total=len(names)))


def _worth(
    X: Array, sample: Sample, settings: ControlSettings, probing: ProbeSettings, left_out: str
) -> LeftOutRow:
    controls = expanded(sample, settings, without=left_out)
    probe = NestedRidge(folds=probing.folds, permutations=0, random_state=probing.seed)
    probe.fit(X, sample.y, controls=controls, groups=sample.groups)
    return LeftOutRow(
        left_out=left_out,
        r2_controls=round(probe.r2_controls_[0].mean, 4),
        partial_r2=round(probe.partial_r2_[0].mean, 4),
    )


def selectivities(
    features: Mapping[str, Array], sample: Sample, probing: ProbeSettings
) -> dict[str, SelectivityRow]:
    """R² of each site's features alone on the target and on a control task (Hewitt & Liang)."""
    columns = [i for i, name in enumerate(sample.control_names) if name.split(".")[0] in LOCAL]
    local = varying(sample.controls[:, columns])[0]
    types = sound_types((local - local.mean(axis=0)) / local.std(axis=0))
    rows = {}
    for site, X in progress([*features.items()], "selectivity", total=len(features)):
        measured = selectivity(
            varying(X[sample.inside])[0],
            sample.y,
            types,
            groups=sample.groups,
            folds=probing.folds,
            seed=probing.seed,
        )
        rows[site] = SelectivityRow(
            r2=round(measured.r2, 4),
            r2_control_task=round(measured.r2_control_task, 4),
            selectivity=round(measured.selectivity, 4),
        )
    return rows
