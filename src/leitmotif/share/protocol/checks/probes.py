"""Probes: controls, horizons, nulls, and error rates where the truth is known."""

from collections.abc import Sequence
from pathlib import Path

from leitmotif.errors import counted
from leitmotif.pipeline import CALIBRATION, CONTROLS, HORIZONS, PROBES, VERDICTS
from leitmotif.probe.inputs.controls import REGISTRY
from leitmotif.probe.inputs.registry import load_controls
from leitmotif.share.protocol.inputs import Inputs, named
from leitmotif.share.protocol.lines import Outcome, failed, passed
from leitmotif.share.protocol.registry import check
from leitmotif.tables.calibration import CalibrationRow, of_kind
from leitmotif.tables.effects import VerdictRow
from leitmotif.tables.probes import HorizonRow, ProbeRow

LOCAL_SECONDS = 2.0
"""Up to here a prediction shows local continuity, says the article: 1 to 2 seconds."""
RANDOM_WEIGHTS = "random_weights"


@check(
    "controls",
    "Every registered control is used, or left out with a reason",
    item="pitfall: inadequate control variables",
    stage="probes",
)
def controls(inputs: Inputs) -> Outcome:
    """Compare the registry, controls.yaml and the controls of data/horizons.jsonl."""
    settings = load_controls()
    used = {control.name for control in settings.controls}
    unexplained = sorted(REGISTRY.keys() - used - settings.left_out.keys())
    if unexplained:
        return failed(
            f"{CONTROLS}: neither used nor left out with a reason: {named(unexplained)}",
            f"enter them below controls or, with a reason, below left_out in {CONTROLS}; then "
            "dvc repro probes",
        )
    (row, *_) = inputs.rows(HORIZONS, HorizonRow)
    constant = {name.split(".")[0] for name in row.constant_controls}
    tested = {control.left_out for control in row.controls} - {"none"}
    missing, odd = sorted(used - tested - constant), sorted(tested - used)
    if missing or odd:
        return failed(
            f"{HORIZONS} does not have the controls of {CONTROLS}: {named(missing + odd)}",
            "dvc repro probes",
        )
    reasons = "; ".join(f"{name} left out: {why}" for name, why in settings.left_out.items())
    return passed(
        f"{len(used)} of {len(REGISTRY)} used, "
        f"{counted(len(row.constant_controls), 'column')} constant here"
        + (f"; {reasons}" if reasons else "")
    )


@check(
    "horizon",
    "Claims rest on horizons beyond local continuity",
    item="pitfall: confounding short-horizon continuity",
    stage="probes",
)
def horizon(inputs: Inputs) -> Outcome:
    """Compare the horizons of settings and results, what features hear, and leads of verdicts."""
    claims = inputs.claims
    if claims.minimum_seconds <= LOCAL_SECONDS:
        return failed(
            f"probes.minimum_seconds is {claims.minimum_seconds:g}: up to {LOCAL_SECONDS:g} s is "
            "local continuity",
            "set probes.minimum_seconds to 4 or more in params.yaml; then dvc repro",
        )
    rows = inputs.rows(HORIZONS, HorizonRow)
    stated = [(row.horizon, row.claimed) for row in rows]
    if stated != [(span.name, span == claims.claimed) for span in claims.horizons]:
        return failed(f"{HORIZONS}: not the horizons of params.yaml", "dvc repro probes")
    heard = max(row.heard_ahead for row in rows)
    if heard >= claims.minimum_seconds:
        return failed(
            f"features hear {heard:g} s ahead of their own frame: they see what they predict",
            "read a model or a site that hears the past alone; then dvc repro",
        )
    near = [
        f"{row.model}: {row.candidate}"
        for row in inputs.table(VERDICTS, VerdictRow)
        if row.verdict == "foresight" and row.lead is not None and not claims.may_carry(row.lead)
    ]
    if near:
        return failed(
            f"{VERDICTS}: foresight from a lead of less than {claims.minimum_seconds:g} s: "
            f"{named(near)}",
            "dvc repro interventions",
        )
    return passed(
        f"claims at {claims.claimed.name}, at least {claims.minimum_seconds:g} s ahead; features "
        f"hear {heard:g} s ahead"
    )


@check(
    "nulls",
    "Every probe has its p-value, and stands beside models that cannot foresee",
    item="pitfall: shallow correlation",
    stage="probes",
)
def nulls(inputs: Inputs) -> Outcome:
    """Look for each model, site and horizon, random weights, the naive R² and the control task."""
    settings = inputs.params.probes
    own = Path(inputs.params.model.name).name
    models = [own, *(Path(name).name for name in settings.comparisons)]
    models += [RANDOM_WEIGHTS] if settings.random_weights else []
    rows = inputs.rows(PROBES, ProbeRow)
    probed = {(row.model, row.site, row.horizon) for row in rows}
    wanted = {
        (model, site, span.name)
        for model in models
        for site in inputs.params.activations.sites
        for span in inputs.claims.horizons
    }
    if probed != wanted or len(rows) != len(probed):
        odd = sorted(" ".join(cell) for cell in probed ^ wanted)
        return failed(f"{PROBES}: not the probes of the settings: {named(odd)}", "dvc repro probes")
    if not settings.random_weights and not settings.comparisons:
        return failed(
            "no model that cannot foresee is probed beside this one",
            "set probes.random_weights to true in params.yaml; then dvc repro probes",
        )
    claimed = [row for row in rows if (row.model, row.horizon) == (own, inputs.claims.claimed.name)]
    bare = [row.site for row in claimed if row.naive is None or row.selectivity is None]
    bare += [
        row.site for row in claimed if settings.random_weights and row.over_random_weights is None
    ]
    if bare:
        return failed(f"{PROBES}: no control task or null at {named(bare)}", "dvc repro probes")
    return passed(
        f"{counted(len(rows), 'probe')} of {counted(len(models), 'model')}, "
        f"p from {settings.permutations} permutations; "
        f"beside {own}: {named(models[1:], most=5)}"
    )


@check(
    "calibration",
    "The tests' error rate is that which they state",
    item="key observation: false positive rates below 6 %",
    stage="calibration",
)
def calibration(inputs: Inputs) -> Outcome:
    """Compare the false-positive rate of features without foresight with the stated level."""
    rows = inputs.rows(CALIBRATION, CalibrationRow)
    alpha = inputs.params.probes.alpha
    every, planted = of_kind(rows, "all"), of_kind(rows, "planted")
    if len(every) != 1 or not of_kind(rows, "null"):
        return failed(f"{CALIBRATION}: no error rate over all generators", "dvc repro calibration")
    strengths = [row.strength for row in planted]
    if {row.alpha for row in rows} != {alpha} or strengths != _strengths(inputs):
        return failed(
            f"{CALIBRATION}: not the level and strengths of params.yaml", "dvc repro calibration"
        )
    above = [
        f"{row.generator or 'all'} {row.controlled.mean:.3f} from {row.controlled.low:.3f}"
        for row in (*every, *of_kind(rows, "null"))
        if row.controlled.low > (alpha if row.generator is None else 2 * alpha)
    ]
    if above:
        return failed(
            f"{CALIBRATION}: more false positives than {alpha:g}: {named(above)}",
            "add the control that explains these features to controls.yaml; then dvc repro",
        )
    rate, naive = every[0].controlled, every[0].naive
    return passed(
        f"false positives {rate.mean:.3f} ({rate.low:.3f} to {rate.high:.3f}) at {alpha:g}"
        + (f", naive {naive.mean:.3f}" if naive else "")
        + f"; power {planted[-1].controlled.mean:.2f} at {planted[-1].strength:g}"
    )


def _strengths(inputs: Inputs) -> Sequence[float]:
    return inputs.params.calibration.strengths
