"""Features one by one: which of them may foresee, the surest first."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from scipy.stats import false_discovery_control

from leitmotif.claims import Claims
from leitmotif.probe.estimators.effects import PartialEffects, effects_by_fold
from leitmotif.probe.estimators.experiment import ProbeSettings, expanded, varying
from leitmotif.probe.features.blocks import FeatureBlock
from leitmotif.probe.inputs.registry import ControlSettings
from leitmotif.probe.inputs.rows import Sample
from leitmotif.probe.panel.curves import Curves
from leitmotif.probe.panel.panel import Array
from leitmotif.tables.candidates import Ranked
from leitmotif.work.parallel import in_processes


def candidates(
    blocks: Iterable[FeatureBlock],
    sample: Sample,
    settings: ControlSettings,
    probing: ProbeSettings,
    claims: Claims,
) -> list[Ranked]:
    """Test features at one horizon, a block at a time; the surest first.

    Parameters
    ----------
    blocks : features on all rows of the experiment; the correction runs over all features of all
        blocks.
    sample : rows at the horizon, with target and controls.
    settings : which controls there are, and how they are bent.
    probing : how features are tested.
    claims : says which features are chosen; margins are distances from that choice.

    Raises ProbeError for data on which a test would have no meaning; see ``PartialEffects.fit``.
    """
    # Only these rows travel to the process that tests them.
    inside = (replace(block, values=block.values[sample.inside]) for block in blocks)
    tested = in_processes(partial(_tested, sample, expanded(sample, settings), probing), inside)
    features = [feature for block in tested for feature in block]
    q = false_discovery_control([feature.p for feature in features], method="bh")
    corrected = [
        feature.model_copy(update={"q": float(value), "margin": margin})
        for feature, value, margin in zip(features, q, _margins(features, q, claims), strict=True)
    ]
    return sorted(
        corrected,
        key=lambda feature: (feature.q, -abs(feature.effect), feature.site, feature.feature),
    )


def _margins(features: Sequence[Ranked], q: Array, claims: Claims) -> list[int]:
    """How far each feature is from the level at which it would change sides, in arrangements.

    A feature that is chosen has to stay below the level of all that are; one that is not would be
    the next.
    """
    is_chosen = [claims.is_chosen(value) for value in q]
    chosen, tested = sum(is_chosen), len(features)
    margins = []
    for feature, inside in zip(features, is_chosen, strict=True):
        assert feature.arrangements is not None
        level = claims.level_of_choice(chosen if inside else chosen + 1, tested=tested)
        allowed = int(level * feature.arrangements * (1 + 1e-9))
        margins.append(allowed - round(feature.p * feature.arrangements))
    return margins


def _tested(
    sample: Sample, controls: Curves, probing: ProbeSettings, block: FeatureBlock
) -> list[Ranked]:
    """Test the features of a block that holds the rows of the sample."""
    values, kept = varying(block.values)
    test = PartialEffects(
        folds=probing.folds, shifts=probing.shifts, alpha=probing.alpha, random_state=probing.seed
    )
    test.fit(values, sample.y, controls=controls, groups=sample.groups)
    stable = _stability(test, values, sample, controls, probing)
    return [
        Ranked(
            site=block.site,
            hook=block.hook,
            feature=int(feature),
            horizon=sample.horizon.name,
            effect=float(test.effect_[i]),
            low=float(test.low_[i]),
            high=float(test.high_[i]),
            p=float(test.p_[i]),
            q=float(test.p_[i]),  # corrected where all features of the horizon are known
            p_shift=float(test.p_shift_[i]) if probing.shifts else None,
            stability=float(stable[i]),
            misaligned=block.misaligned,
            tracks=len(sample.tracks),
            active=None if block.active is None else int(block.active[kept[i]]),
            arrangements=test.permutations_ + 1,
        )
        for i, feature in enumerate(block.numbers[kept])
    ]


def _stability(
    test: PartialEffects, X: Array, sample: Sample, controls: Curves, probing: ProbeSettings
) -> Array:
    """Share of folds over all splits in which each effect has its sign: [d]."""
    signs = [test.effect_by_fold_]
    for seed in range(probing.seed + 1, probing.seed + probing.seeds):
        signs.append(
            effects_by_fold(
                X,
                sample.y,
                controls=controls,
                groups=sample.groups,
                folds=probing.folds,
                seed=seed,
                choices=test.control_fits_,
            )
        )
    same = np.sign(np.concatenate(signs)) == np.sign(test.effect_)
    return np.asarray(same.mean(axis=0))
