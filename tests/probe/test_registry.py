from pathlib import Path

import pytest

from leitmotif.errors import ConfigError
from leitmotif.probe.inputs.controls import REGISTRY, Continuity, LocalChroma
from leitmotif.probe.inputs.registry import load_controls, parse_controls

EXPANSION = {"knots": 0, "waves": 0, "interactions": 0}


def test_the_shipped_file_uses_every_control(repo_root: Path) -> None:
    settings = load_controls(repo_root / "controls.yaml")
    assert [control.name for control in settings.controls] == list(REGISTRY)
    assert all(control == type(control)() for control in settings.controls)


@pytest.mark.parametrize("name", REGISTRY)
def test_a_control_is_told_its_own_settings(name: str) -> None:
    control = REGISTRY[name]()
    parsed = parse_controls(
        {"controls": {name: control.model_dump(mode="json")}, "expansion": EXPANSION}
    )
    assert parsed.controls == [control]
    assert control.__doc__


def test_settings_reach_the_controls() -> None:
    parsed = parse_controls(
        {
            "controls": {"continuity": {"lags": [1, 2.5]}, "local_chroma": {"seconds": 2}},
            "expansion": EXPANSION,
        }
    )
    assert parsed.controls == [Continuity(lags=(1, 2.5)), LocalChroma(seconds=2)]
    assert parse_controls({"controls": None, "expansion": EXPANSION}).controls == []


@pytest.mark.fault("controls.yaml", "bad entries", outcome="refused by name")
@pytest.mark.parametrize(
    ("controls", "message"),
    [
        ({"chroma": None}, "controls.chroma"),
        ({"chroma": None}, "position, track_length"),
        ({"local_chroma": {"seconds": 0}}, "controls.local_chroma.seconds: 0"),
        ({"local_chroma": {"seconds": 61}}, "less than or equal to 60"),
        ({"local_chroma": {"seconds": True}}, "controls.local_chroma.seconds: True"),
        ({"local_chroma": {"second": 1}}, "controls.local_chroma.second: 1"),
        ({"continuity": {"lags": []}}, "controls.continuity.lags"),
        ({"continuity": {"lags": [1, 1.0]}}, "named twice"),
        ({"continuity": {"lags": [1, "2"]}}, "controls.continuity.lags.1: '2'"),
        ({"source_artifacts": {"silence_dbfs": 3}}, "less than or equal to 0"),
        ({"position": {"seconds": 1}}, "controls.position.seconds: 1"),
        ({"position": [1]}, "controls.position"),
        ([], "controls"),
    ],
)
def test_what_is_wrong_is_named(controls, message) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_controls({"controls": controls, "expansion": EXPANSION})


@pytest.mark.parametrize(
    ("expansion", "message"),
    [
        ({"knots": 33, "waves": 0, "interactions": 0}, "expansion.knots: 33"),
        ({"knots": 1.5, "waves": 0, "interactions": 0}, "expansion.knots: 1.5"),
        ({"knots": 1, "waves": 0}, "expansion.interactions"),
        ({**EXPANSION, "bends": 1}, "expansion.bends: 1"),
    ],
)
def test_a_wrong_expansion_is_named(expansion, message) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_controls({"controls": None, "expansion": expansion})


@pytest.mark.fault("controls.yaml", "missing and torn files", outcome="refused by name")
def test_a_missing_or_torn_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_controls(tmp_path / "controls.yaml")
    (tmp_path / "controls.yaml").write_text("controls: [")
    with pytest.raises(ConfigError, match="is not YAML"):
        load_controls(tmp_path / "controls.yaml")
