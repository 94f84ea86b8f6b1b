"""The gate on metrics: what drifts, vanishes or appears is caught."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / ".ci" / "compare_metrics.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("compare_metrics", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


gate = load()
METRICS = {"manifest": {"eligible": 104, "excluded": {"voice": 9}}, "probes": {"r2": [0.5, 0.25]}}


def failures(produced: dict[str, object], **tolerances: object) -> list[str]:
    committed = dict(gate._flatten("m", METRICS))
    rules = {name: gate.Tolerance(**rule) for name, rule in tolerances.items()}
    differences = gate.compare(committed, committed | produced, rules)
    return [difference.key for difference in differences if not difference.passes]


def test_equal_metrics_pass() -> None:
    assert failures({}) == []


def test_drift_is_caught() -> None:
    assert failures({"m.manifest.eligible": 105}) == ["m.manifest.eligible"]
    assert failures({"m.probes.r2.1": 0.2500001}) == ["m.probes.r2.1"]


def test_drift_within_a_tolerance_passes_and_beyond_it_does_not() -> None:
    rule = {"m.probes.r2.*": {"relative": 0.01}}
    assert failures({"m.probes.r2.1": 0.252}, **rule) == []
    assert failures({"m.probes.r2.1": 0.248}, **rule) == []
    assert failures({"m.probes.r2.1": 0.253}, **rule) == ["m.probes.r2.1"]
    assert failures({"m.manifest.eligible": 105}, **rule) == ["m.manifest.eligible"]
    assert failures({"m.probes.r2.0": 0.45}, **{"m.probes.*": {"absolute": 0.06}}) == []


def test_missing_and_new_keys_are_caught_under_any_tolerance() -> None:
    anything = {"*": gate.Tolerance(relative=1e9, absolute=1e9)}
    committed = dict(gate._flatten("m", METRICS))
    fewer = {key: value for key, value in committed.items() if key != "m.manifest.excluded.voice"}
    for before, after in ((committed, fewer), (fewer, committed)):
        (difference,) = gate.compare(before, after, anything)
        assert difference.key == "m.manifest.excluded.voice"
        assert not difference.passes


@pytest.mark.parametrize("value", [True, "104", None, 104.0, [], {}])
def test_another_type_is_not_equal(value: object) -> None:
    assert failures({"m.manifest.eligible": value}) == (
        [] if value == 104.0 else ["m.manifest.eligible"]
    )


def test_an_emptied_section_is_caught() -> None:
    committed = dict(gate._flatten("m", {"excluded": {"voice": 9}}))
    produced = dict(gate._flatten("m", {"excluded": {}}))
    keys = {difference.key for difference in gate.compare(committed, produced, {})}
    assert keys == {"m.excluded", "m.excluded.voice"}


def test_a_tolerance_that_matches_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"m\.probes\.r3"):
        failures({}, **{"m.probes.r3": {"relative": 0.1}})


def test_comparing_nothing_does_not_pass(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no metrics"):
        gate.read_metrics(tmp_path)


def test_the_committed_tolerances_let_no_count_and_no_verdict_pass() -> None:
    metrics, rules = gate.read_metrics(ROOT / "metrics"), gate.read_tolerances()
    assert gate.compare(metrics, metrics, rules) == []
    changed = {
        key: value + 1
        for key, value in metrics.items()
        if key.endswith(".n") or key in ("interventions.clips", "sae.misalignments.caught")
    } | {key: "other" for key in metrics if "verdict" in key}
    assert len(changed) > 100
    found = gate.compare(metrics, {**metrics, **changed}, rules)
    assert {one.key for one in found if not one.passes} == set(changed)


NUMBERS = st.floats(-1e6, 1e6)


@given(committed=NUMBERS, produced=NUMBERS, relative=st.floats(0, 1), absolute=st.floats(0, 1e3))
def test_a_tolerance_is_a_closed_interval(
    committed: float, produced: float, relative: float, absolute: float
) -> None:
    far = abs(produced - committed) > max(absolute, relative * abs(committed))
    assert gate.Tolerance(relative, absolute).allows(committed, produced) == (not far)


def test_the_program_says_what_failed(tmp_path: Path) -> None:
    for folder, eligible in (("committed", 104), ("produced", 99)):
        (tmp_path / folder).mkdir()
        metrics = json.dumps({"eligible": eligible, "selected": 100})
        (tmp_path / folder / "manifest.json").write_text(metrics)
    (tmp_path / "tolerances.yaml").write_text("{}")
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "committed", "produced", "--tolerances", "tolerances.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "FAIL" in done.stdout
    assert "manifest.eligible" in done.stdout
    assert "1 differ, 1 too far" in done.stdout
    assert "make repro" in done.stderr

    (tmp_path / "tolerances.yaml").write_text("manifest.eligible: {relative: 0.05}")
    assert subprocess.run(done.args, cwd=tmp_path, check=False, timeout=60).returncode == 0
