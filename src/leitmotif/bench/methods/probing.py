"""A linear probe: whether the decision can be read far ahead. It says nothing of what reads it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from leitmotif.bench.method import CLAIMS, MINIMUM_SECONDS, MethodFinding, lead_bins
from leitmotif.bench.methods.exchanged import bin_windows
from leitmotif.bench.methods.readings import readings_of
from leitmotif.causal.experiment.effects import effect_of
from leitmotif.causal.experiment.events import Event
from leitmotif.claims import is_above_zero
from leitmotif.musicgen.protocol import MusicModel

FOLDS = 4
PENALTY = 0.03
"""Inverse strength of the L2 penalty on standardised features."""


def probe(model: MusicModel, pieces: Sequence[Event]) -> MethodFinding:
    """Cross-fitted accuracy above chance, corrected over sites and bins that lie far enough ahead.

    Pieces, counterfactuals and controls are all read. A piece is never in the fold that it is
    tested on, nor are its counterfactual and its control.
    """
    readings = readings_of(model, pieces)
    bins = lead_bins(pieces, model.frame_rate)
    far = [after for after in bins if after >= MINIMUM_SECONDS]
    level = CLAIMS.level(len(readings.sites) * len(far))
    strengths, leads = {}, []
    for site in readings.sites:
        for window in bin_windows(pieces, model.frame_rate):
            assert window.after is not None
            rows = [n for n, piece in enumerate(pieces) if window.steps(piece, model.frame_rate)]
            features = [
                [
                    read.at[site][row, steps.start : steps.stop].mean(0).cpu().double().numpy()
                    for read in (readings.own, *readings.donors.values())
                ]
                for row in rows
                for steps in [window.steps(pieces[row], model.frame_rate)]
            ]
            above = _accuracy_above_chance(
                np.array(features), np.array([pieces[row].returns for row in rows])
            )
            strengths[site, window.after] = float(above.mean())
            tracks = [pieces[row].track_id for row in rows]
            effect = effect_of(dict(zip(tracks, above, strict=True)))
            if window.after in far and effect.p <= level and is_above_zero(effect.interval):
                leads.append(window.after)
    return MethodFinding(bool(leads), max(leads, default=None), strengths)


def _accuracy_above_chance(
    features: NDArray[np.float64], returns: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Share of a piece's three readings [n, 3, d] that are told rightly, less a half: [n]."""
    n = len(features)
    said = np.stack([returns, ~returns, returns], axis=1)
    right = np.zeros((n, 3))
    for fit, test in GroupKFold(FOLDS).split(features, groups=np.arange(n)):
        fitted = make_pipeline(StandardScaler(), LogisticRegression(C=PENALTY, max_iter=1000))
        fitted.fit(features[fit].reshape(-1, features.shape[2]), said[fit].ravel())
        predicted = fitted.predict(features[test].reshape(-1, features.shape[2]))
        right[test] = predicted.reshape(-1, 3) == said[test]
    # The control says what the piece says: it counts half, so that pairs balance.
    return right @ np.array([0.25, 0.5, 0.25]) - 0.5
