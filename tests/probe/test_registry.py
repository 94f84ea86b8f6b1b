import dataclasses
from pathlib import Path

import jsonschema
import pytest

from leitmotif.errors import ConfigError
from leitmotif.files import read_json
from leitmotif.probe.controls import REGISTRY, Continuity, LocalChroma
from leitmotif.probe.registry import SCHEMA, load_controls, parse_controls

EXPANSION = {"knots": 0, "interactions": 0}


def test_the_shipped_file_uses_every_control(repo_root: Path) -> None:
    settings = load_controls(repo_root / "controls.yaml")
    assert [control.name for control in settings.controls] == list(REGISTRY)
    assert all(control == type(control)() for control in settings.controls)


def test_the_schema_is_one_and_knows_every_control() -> None:
    schema = read_json(SCHEMA)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert list(schema["properties"]["controls"]["properties"]) == list(REGISTRY)


@pytest.mark.parametrize("name", REGISTRY)
def test_the_schema_allows_what_a_control_can_be_told_and_nothing_else(name: str) -> None:
    schema = read_json(SCHEMA)
    described = schema["properties"]["controls"]["properties"][name]
    if "$ref" in described:
        described = schema["$defs"][described["$ref"].split("/")[-1]]
    fields = {field.name: field.default for field in dataclasses.fields(REGISTRY[name])}
    assert set(described.get("properties", {})) == set(fields)
    given = {key: list(v) if isinstance(v, tuple) else v for key, v in fields.items()}
    found = parse_controls({"controls": {name: given}, "expansion": EXPANSION})
    assert found.controls == [REGISTRY[name]()]
    assert REGISTRY[name].__doc__


def test_settings_reach_the_controls() -> None:
    found = parse_controls(
        {
            "controls": {"continuity": {"lags": [1, 2.5]}, "local_chroma": {"seconds": 2}},
            "expansion": EXPANSION,
        }
    )
    assert found.controls == [Continuity(lags=(1, 2.5)), LocalChroma(seconds=2)]
    assert parse_controls({"controls": None, "expansion": EXPANSION}).controls == []


@pytest.mark.parametrize(
    ("controls", "message"),
    [
        ({"chroma": None}, "'chroma' was unexpected"),
        ({"local_chroma": {"seconds": 0}}, "controls.local_chroma.seconds: 0 is less"),
        ({"local_chroma": {"second": 1}}, "'second' was unexpected"),
        ({"continuity": {"lags": []}}, "controls.continuity.lags"),
        ({"position": {"seconds": 1}}, "controls.position"),
    ],
)
def test_what_is_wrong_is_named(controls, message) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_controls({"controls": controls, "expansion": EXPANSION})


def test_a_missing_or_torn_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_controls(tmp_path / "controls.yaml")
    (tmp_path / "controls.yaml").write_text("controls: [")
    with pytest.raises(ConfigError, match="is not YAML"):
        load_controls(tmp_path / "controls.yaml")
