"""Nested ridge with 1,000 exchanges of tracks: musicgen-small's width, five sites, three horizons.

    python -m benchmarks.probes

Beside a loop of scikit-learn's ``Ridge`` that does the same to the same residuals: for each
exchange and test fold, every penalty on every inner fold, then the fit and its error. The loop is
timed on one site and a few exchanges and counted up; that it finds the same partial R² is checked.
Removing the controls, which both would do once, is left out of the loop's time and is in ours.
"""

import argparse
import resource
import time

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_limits

from benchmarks._report import report, row
from leitmotif.probe.estimators.algebra import Sums
from leitmotif.probe.estimators.exchange_fits import FEATURE_PENALTIES
from leitmotif.probe.estimators.nested import NestedRidge
from leitmotif.probe.estimators.nulls import Exchanges, exchanges
from leitmotif.probe.panel.panel import Array, Panel, panel

TRACKS, LENGTH, WIDTH, CONTROLS, HORIZONS, SITES = 100, 60, 1024, 100, 3, 5
FOLDS, PERMUTATIONS = 5, 1000


def made(seed: int) -> tuple[Array, Array, Array, NDArray[np.int64]]:
    """Features, targets, controls and tracks: white noise will do, as no time depends on it."""
    random = np.random.default_rng(seed)
    rows = TRACKS * LENGTH
    Z = random.normal(size=(rows, CONTROLS))
    X = random.normal(size=(rows, WIDTH)) + Z @ random.normal(size=(CONTROLS, WIDTH)) / 10
    Y = random.normal(size=(rows, HORIZONS)) + Z[:, :HORIZONS] + X[:, :HORIZONS] / 5
    return X, Y, Z, np.repeat(np.arange(TRACKS), LENGTH)


def loop(data: Panel, sums: Sums, order: Exchanges, numbers: range) -> tuple[Array, float]:
    """Partial R² [exchanges, horizons] of some exchanges, and the seconds that they took."""
    folds = range(FOLDS)
    missed, kept = np.zeros((2, len(numbers), HORIZONS))
    seconds = 0.0
    for test in folds:
        train = [fold for fold in folds if fold != test]
        X, Y = sums.residual(sums.nuisance(train), np.arange(len(data.targets)))
        seen = data.fold_of_row != test
        X = X / np.sqrt((X[seen] ** 2).mean(axis=0))
        start = time.perf_counter()
        for index, number in enumerate(numbers):
            y = Y.copy()
            for tracks, whose in zip(data.folds, order, strict=True):
                for place, other in enumerate(whose[number]):
                    y[data.tracks[tracks[place]]] = Y[data.tracks[tracks[other]]]
            errors = np.zeros((len(FEATURE_PENALTIES), HORIZONS))
            for held in train:
                rows, out = seen & (data.fold_of_row != held), data.fold_of_row == held
                for at, penalty in enumerate(FEATURE_PENALTIES):
                    fit = _ridge(penalty * rows.sum()).fit(X[rows], y[rows])
                    errors[at] += ((y[out] - fit.predict(X[out])) ** 2).sum(axis=0)
            best = np.array(FEATURE_PENALTIES)[errors.argmin(axis=0)] * seen.sum()
            predicted = _ridge(best).fit(X[seen], y[seen]).predict(X[~seen])
            missed[index] += ((y[~seen] - predicted) ** 2).sum(axis=0)
            kept[index] += (y[~seen] ** 2).sum(axis=0)
        seconds += time.perf_counter() - start
    return 1 - missed / kept, seconds


def _ridge(penalty: float | Array) -> Ridge:
    return Ridge(penalty, fit_intercept=False, solver="cholesky")


def main() -> None:
    """Measure, print the table and write benchmarks/results/probes.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--exchanges", type=int, default=1, help="that the loop is timed on")
    arguments = parser.parse_args()
    numbers = range(arguments.exchanges)
    with threadpool_limits(arguments.threads):
        X, Y, Z, groups = made(0)
        data = panel(X, Y, controls=Z, groups=groups, folds=FOLDS, seed=0)
        order = exchanges(list(map(len, data.folds)), PERMUTATIONS, seed=0)
        sums = Sums(data, place_means=True, gram=False)
        theirs, seconds = loop(data, sums, order, numbers)
        peer = seconds / len(numbers) * (PERMUTATIONS + 1) * SITES
        del data, sums
        start = time.perf_counter()
        for site in range(SITES):
            X = X if site == 0 else made(site)[0]
            probe = NestedRidge(folds=FOLDS, permutations=PERMUTATIONS, random_state=0)
            probe.fit(X, Y, controls=Z, groups=groups)
            if site == 0:
                ours = [interval.mean for interval in probe.partial_r2_]
                np.testing.assert_allclose(ours, theirs[0], atol=1e-6)
        elapsed = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MB, of which features {X.nbytes / 2**20:.0f} MB")
    case = f"{TRACKS} tracks, {SITES} sites, {HORIZONS} horizons, {PERMUTATIONS} exchanges, d 1024"
    report(
        "probes",
        [
            row(
                f"{case} (goal 30)",
                elapsed,
                peer,
                peer_name=f"scikit-learn's Ridge in a loop, counted up from {len(numbers)}",
                unit="s",
                better="lower",
            )
        ],
    )


if __name__ == "__main__":
    main()
