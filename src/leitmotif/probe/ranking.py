"""Features one by one: which of them may foresee, the surest first."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from scipy.stats import false_discovery_control

from leitmotif.probe.estimators.effects import PartialEffects, effects_by_fold
from leitmotif.probe.estimators.experiment import ProbeSettings, expanded, varying
from leitmotif.probe.features.blocks import FeatureBlock
from leitmotif.probe.inputs.registry import ControlSettings
from leitmotif.probe.inputs.rows import Sample
from leitmotif.probe.panel.panel import Array
from leitmotif.tables.candidates import Ranked
from leitmotif.work.parallel import in_processes


def candidates(
    blocks: Iterable[FeatureBlock],
    sample: Sample,
    settings: ControlSettings,
    probing: ProbeSettings,
) -> list[Ranked]:
    """Test features at one horizon, a block at a time; the surest first.

    ``blocks`` hold all rows of the experiment. The correction runs over all features of all of
    them.
    """
    # Only these rows travel to the process that tests them.
    inside = (replace(block, values=block.values[sample.inside]) for block in blocks)
    tested = in_processes(partial(_tested, sample, expanded(sample, settings), probing), inside)
    found = [one for block in tested for one in block]
    q = false_discovery_control([one.p for one in found], method="bh")
    corrected = [
        one.model_copy(update={"q": float(value), "margin": margin})
        for one, value, margin in zip(found, q, _margins(found, q, probing.alpha), strict=True)
    ]
    return sorted(corrected, key=lambda one: (one.q, -abs(one.effect), one.site, one.feature))


def _margins(found: Sequence[Ranked], q: Array, alpha: float) -> list[int]:
    """How far each feature is from the level at which it would change sides, in arrangements.

    Benjamini & Hochberg choose those with p up to alpha × chosen / tested; one more would be chosen
    at alpha × (chosen + 1) / tested.
    """
    chosen = int((q <= alpha).sum())
    margins = []
    for one, value in zip(found, q, strict=True):
        assert one.arrangements is not None
        level = alpha * (chosen if value <= alpha else chosen + 1) / len(found)
        allowed = int(level * one.arrangements * (1 + 1e-9))
        margins.append(allowed - round(one.p * one.arrangements))
    return margins


def _tested(
    sample: Sample, controls: Array, probing: ProbeSettings, block: FeatureBlock
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
            q=float("nan"),
            p_shift=float(test.p_shift_[i]),
            stability=float(stable[i]),
            misaligned=block.misaligned,
            active=None if block.active is None else int(block.active[kept[i]]),
            arrangements=test.permutations_ + 1,
        )
        for i, feature in enumerate(block.numbers[kept])
    ]


def _stability(
    test: PartialEffects, X: Array, sample: Sample, controls: Array, probing: ProbeSettings
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
            )
        )
    same = np.sign(np.concatenate(signs)) == np.sign(test.effect_)
    return np.asarray(same.mean(axis=0))
