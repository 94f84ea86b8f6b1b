"""Features one by one: which of them may foresee, the surest first."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import numpy as np
from scipy.stats import false_discovery_control

from leitmotif.claims import Claims
from leitmotif.probe.estimators.decided import FirstRound, decided
from leitmotif.probe.estimators.effects import REFITS, FeatureStatistics, effects_by_fold, measured
from leitmotif.probe.estimators.experiment import ProbeSettings, expanded, varying
from leitmotif.probe.features.blocks import FeatureBlock
from leitmotif.probe.inputs.registry import ControlSettings
from leitmotif.probe.inputs.rows import Sample
from leitmotif.probe.panel.curves import Curves
from leitmotif.probe.panel.panel import Array, panel
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

    Raises ProbeError for data on which a test would have no meaning; see ``panel``.
    """
    # Only these rows travel to the process that tests them.
    inside = (replace(block, values=block.values[sample.inside]) for block in blocks)
    begin = partial(_begun, sample, expanded(sample, settings), probing)
    begun = list(in_processes(begin, inside))
    features = [feature for of_block, _ in begun for feature in of_block]
    p, made = decided([exchanged for _, exchanged in begun], alpha=claims.alpha)
    q = false_discovery_control(p, method="bh")
    corrected = [
        feature.model_copy(
            update={"p": float(p[i]), "q": float(q[i]), "exchanges": int(made[i]), "margin": margin}
        )
        for i, (feature, margin) in enumerate(zip(features, _margins(p, q, claims), strict=True))
    ]
    return sorted(
        corrected,
        key=lambda feature: (feature.q, -abs(feature.effect), feature.site, feature.feature),
    )


def _margins(p: Array, q: Array, claims: Claims) -> list[float]:
    """By what each p-value could be multiplied before its feature changes sides.

    A feature that is chosen has to stay below the level of all that are; one that is not would be
    the next.
    """
    is_chosen = [claims.is_chosen(value) for value in q]
    chosen, tested = sum(map(bool, is_chosen)), len(q)
    return [
        claims.level_of_choice(chosen if inside else chosen + 1, tested=tested) / value
        for value, inside in zip(p.tolist(), is_chosen, strict=True)
    ]


def _begun(
    sample: Sample, controls: Curves, probing: ProbeSettings, block: FeatureBlock
) -> tuple[list[Ranked], FirstRound]:
    """Measure the features of a block that holds the rows of the sample; p and q are to come."""
    values, kept = varying(block.values)
    data = panel(
        values,
        sample.y,
        controls=controls,
        groups=sample.groups,
        folds=probing.folds,
        seed=probing.seed,
    )
    tested = measured(
        data, place_means=True, shifts=probing.shifts, refits=REFITS, seed=probing.seed
    )
    stable = _stability(tested, values, sample, controls, probing)
    measures = {name: values[:, 0] for name, values in tested.attributes.items() if values.ndim < 3}
    ranked = [
        Ranked(
            site=block.site,
            hook=block.hook,
            feature=int(feature),
            horizon=sample.horizon.name,
            effect=float(measures["effect_"][i]),
            low=float(measures["low_"][i]),
            high=float(measures["high_"][i]),
            p=1.0,
            q=1.0,
            p_shift=float(measures["p_shift_"][i]) if probing.shifts else None,
            stability=float(stable[i]),
            misaligned=block.misaligned,
            tracks=len(sample.tracks),
            active=None if block.active is None else int(block.active[kept[i]]),
        )
        for i, feature in enumerate(block.numbers[kept])
    ]
    return ranked, tested.first_round()


def _stability(
    tested: FeatureStatistics, X: Array, sample: Sample, controls: Curves, probing: ProbeSettings
) -> Array:
    """Share of folds over all splits in which each effect has its sign: [d]."""
    signs = [tested.attributes["effect_by_fold_"][:, :, 0]]
    for seed in range(probing.seed + 1, probing.seed + probing.seeds):
        signs.append(
            effects_by_fold(
                X,
                sample.y,
                controls=controls,
                groups=sample.groups,
                folds=probing.folds,
                seed=seed,
                choices=tested.left.choices,
            )
        )
    same = np.sign(np.concatenate(signs)) == np.sign(tested.attributes["effect_"][:, 0])
    return np.asarray(same.mean(axis=0))
