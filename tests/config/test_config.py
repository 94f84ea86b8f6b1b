"""Settings: what is refused, and whether the message names key, value and rule."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitmotif.cli.preset_texts import preset
from leitmotif.config import Params, load_params, parse_params
from leitmotif.config.auto import CONTEXT_SECONDS, notices
from leitmotif.errors import ConfigError
from leitmotif.files.yaml_files import parse_yaml

PRESETS = Path(__file__).parents[2] / "presets"
ORGANISM: dict[str, Any] = parse_yaml((PRESETS / "organism.yaml").read_text(encoding="utf-8"))
HUB_REVISION = "0123456789abcdef0123456789abcdef01234567"
RECORDINGS = {
    "source": "folder",
    "path": "music",
    "watch": "data/sources/recordings.jsonl",
    "listings": ["folder"],
}


def changed(key: str, value: Any) -> dict[str, Any]:
    """The organism preset with one dotted key set."""
    params = copy.deepcopy(ORGANISM)
    *sections, last = key.split(".")
    section = params
    for part in sections:
        section = section[part]
    section[last] = value
    return params


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        # an unknown key, in each section and at the top
        ("corpus.pices", 3, "corpus.pices: found 3; unknown key (did you mean pieces?)"),
        ("manifest.x", 3, "allowed here: excluded_tag_words, min_seconds, require_licence"),
        ("features.x", 3, "allowed here: max_failures, min_seconds, silence_dbfs"),
        ("model.x", 3, "allowed here: device, dtype, name, position_seconds, revision"),
        ("activations.x", 3, "allowed here: dtype, max_failures, prompt, sites"),
        ("manifst", {}, "manifst: found {}; unknown key (did you mean manifest?)"),
        # a wrong type
        ("corpus.pieces", "many", "corpus.pieces: found 'many'; expected a valid integer"),
        ("manifest.tracks", True, "manifest.tracks: found True; expected a valid integer"),
        ("manifest.tracks", 1.5, "manifest.tracks: found 1.5; expected a valid integer"),
        ("manifest.require_licence", "yes", "found 'yes'; expected a valid boolean"),
        ("manifest.required_tag_prefixes", [3], "required_tag_prefixes.0: found 3; expected"),
        ("features.min_seconds", "1", "features.min_seconds: found '1'; expected a valid number"),
        ("model.name", None, "model.name: found None; expected a valid string"),
        ("activations.sites", "layers.1.mlp", "activations.sites: found 'layers.1.mlp'; expected"),
        ("manifest", None, "manifest: found None; expected keys with values below it"),
        ("corpus", [], "corpus: found []; expected keys with values below it"),
        # an impossible value
        ("corpus.source", "vinyl", "corpus.source: found 'vinyl'; expected one of 'organism'"),
        ("corpus.source", None, "corpus.source: found None; expected one of 'organism'"),
        ("corpus.seed", -1, "corpus.seed: found -1; expected greater than or equal to 0"),
        ("manifest.tracks", 0, "manifest.tracks: found 0; expected greater than or equal to 1"),
        ("manifest.window_seconds", 31, "window_seconds: found 31; expected less than or equal"),
        ("manifest.min_seconds", float("inf"), "min_seconds: found inf; expected a finite number"),
        ("features.silence_dbfs", float("nan"), "silence_dbfs: found nan; expected"),
        ("features.silence_dbfs", 3.0, "silence_dbfs: found 3.0; expected less than or equal to 0"),
        ("manifest.windows", "last", "manifest.windows: found 'last'; expected 'first' or 'all'"),
        (
            "model.dtype",
            "int8",
            "model.dtype: found 'int8'; expected 'float64', 'float32', 'bfloat16' or",
        ),
        ("model.revision", "main", "model.revision: found 'main'; string should match pattern"),
        ("model.name", "facebook/musicgen-small", "model.revision: found None; model.name"),
        ("model.watch", "README.md", "model.watch: found 'README.md'; model.name is the folder"),
        ("activations.sites", [], "activations.sites: found []; list should have at least 1"),
        ("activations.sites", ["layer.1"], "sites.0: found 'layer.1'; 'layer.1' is not a site"),
        (
            "activations.sites",
            ["hook_layers.1", "layers.1.residual"],
            "listed twice (hook_layers.N is an alias): layers.1.residual",
        ),
    ],
)
def test_refusal_names_the_key_the_value_and_the_rule(key: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_params(changed(key, value))
    assert message in str(caught.value)


@pytest.mark.parametrize("section", sorted(ORGANISM))
def test_every_key_must_be_present(section: str) -> None:
    for key in ORGANISM[section]:
        params = copy.deepcopy(ORGANISM)
        del params[section][key]
        with pytest.raises(ConfigError, match=rf"{section}\.{key}: missing"):
            parse_params(params)


def test_every_problem_is_reported_at_once() -> None:
    params = changed("manifest.tracks", 0)
    params["features"]["max_failures"] = -1
    with pytest.raises(ConfigError, match="2 settings") as caught:
        parse_params(params)
    assert "manifest.tracks" in str(caught.value)
    assert "features.max_failures" in str(caught.value)


def test_keys_of_another_source_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_params(changed("corpus.source", "folder"))
    allowed = "listings, path, source, watch"
    assert f"corpus.pieces: found 128; unknown key; allowed here: {allowed}" in str(caught.value)


def test_hub_model_is_accepted_with_its_revision() -> None:
    params = changed("model.name", "facebook/musicgen-small")
    params["model"] |= {"revision": HUB_REVISION, "watch": "params.yaml"}
    assert parse_params(params).model.revision == HUB_REVISION


def test_site_alias_is_written_out() -> None:
    params = parse_params(changed("activations.sites", ["hook_layers.11", "layers.3.mlp"]))
    assert params.activations.sites == ["layers.11.residual", "layers.3.mlp"]


def test_numbers_are_read_as_dvc_reads_them(tmp_path: Path) -> None:
    text = (PRESETS / "organism.yaml").read_text(encoding="utf-8")
    path = tmp_path / "params.yaml"
    path.write_text(text.replace("min_seconds: 8.0", "min_seconds: 1e-3"), encoding="utf-8")
    assert load_params(path).manifest.min_seconds == 0.001  # YAML 1.1 would read a word


@pytest.mark.fault("params.yaml", "a torn file", outcome="refused by name")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not YAML"),
        ("corpus: 1\ncorpus: 2\n", 'duplicate key "corpus"'),
        ("", "the file: found None"),
        ("- corpus", "the file: found"),
    ],
)
def test_torn_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_params(path)
    assert message in str(caught.value)
    assert "params.yaml" in str(caught.value)


@pytest.mark.fault("params.yaml", "no file", outcome="named error")
def test_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="leitmotif use PRESET"):
        load_params(tmp_path / "params.yaml")


KEYS = [f"{section}.{key}" for section, values in ORGANISM.items() for key in values]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.lists(st.text(max_size=5), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@given(key=st.sampled_from(KEYS), value=VALUES)
def test_any_value_is_either_kept_or_refused_by_name(key: str, value: Any) -> None:
    section, name = key.split(".")
    refusal, kept = "", None
    try:
        kept = getattr(getattr(parse_params(changed(key, value)), section), name)
    except ConfigError as error:
        refusal = str(error)
    # A name that reads as a hub id, or as another folder, is refused where the remedy is.
    named = (key, "model.revision", "model.watch") if key == "model.name" else (key,)
    assert any(name in refusal for name in named) if refusal else kept == value


BEYOND_USE = [10**30, 10**400, 1e308, -1e308, 1e300, 1e-300, 5e-324]


@pytest.mark.fault(
    "params.yaml",
    "a number that is too large, or too near to 0, in each setting",
    outcome="refused by name",
)
@pytest.mark.parametrize("key", KEYS)
def test_numbers_beyond_any_use_are_refused(key: str) -> None:
    for number in BEYOND_USE:
        for value in (number, [number], [[0.0, number]]):
            with pytest.raises(ConfigError, match=re.escape(key.replace(".watch", "."))):
                parse_params(changed(key, value))


@pytest.mark.fault("YAML", "an integer that Python cannot write", outcome="named error")
def test_an_integer_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(f"model: {{name: 0x{'f' * 5000}}}\n")
    with pytest.raises(ConfigError, match="is not YAML"):
        load_params(tmp_path / "params.yaml")


@given(name=st.text(min_size=1, max_size=10).filter(lambda name: name not in Params.model_fields))
def test_no_unknown_section_is_accepted(name: str) -> None:
    with pytest.raises(ConfigError, match="unknown key"):
        parse_params(ORGANISM | {name: {}})


def test_recordings_need_a_continuation_in_which_a_return_can_be_heard() -> None:
    folder = {
        "source": "folder",
        "path": "music",
        "watch": "data/sources/recordings.jsonl",
        "listings": ["folder"],
    }
    values = {**changed("interventions.seconds", 6.0), "corpus": folder}
    far = values["interventions"]["treated_seconds"] + min(
        after
        for after, _ in values["probes"]["horizons"]
        if after >= values["probes"]["minimum_seconds"]
    )
    assert far == 6.0
    with pytest.raises(ConfigError, match="too short for a return that far ahead"):
        parse_params(values)
    values["interventions"]["seconds"] = 6.1
    parse_params(values)
    parse_params(changed("interventions.seconds", 6.0))  # composed pieces have slots


AUTO = ("probes.folds", "interventions.prefix_seconds", "interventions.seconds")


def test_settings_that_are_auto_have_planned_values() -> None:
    values = changed("probes.folds", "auto")
    for place in AUTO[1:]:
        section, key = place.split(".")
        values[section] = {**values[section], key: "auto"}
    params = parse_params(values)
    assert params.auto == {*AUTO}
    assert (params.probes.folds, params.interventions.prefix_seconds) == (5, 10.0)
    settings = params.interventions
    whole = settings.prefix_seconds + settings.opening_seconds + settings.seconds
    assert whole <= CONTEXT_SECONDS


def test_numbers_are_not_auto() -> None:
    assert parse_params(changed("probes.folds", 4)).auto == frozenset()


@pytest.mark.parametrize("key", ["probes.seeds", "interventions.opening_seconds"])
def test_other_settings_cannot_be_auto(key: str) -> None:
    with pytest.raises(ConfigError, match="found 'auto'"):
        parse_params(changed(key, "auto"))


def test_more_than_the_context_is_named() -> None:
    values = {**changed("interventions.seconds", 29.0), "corpus": RECORDINGS}
    (line,) = notices(parse_params(values))
    assert "prefix, opening and continuation are 30.4 s" in line
    assert notices(parse_params(changed("interventions.seconds", 29.0))) == []


def test_positions_beyond_what_was_trained_on_are_named() -> None:
    """The organisms' presets begin at 0, and nothing is said of them."""
    assert notices(parse_params(changed("model.position_seconds", 0.0))) == []
    (line,) = notices(parse_params(changed("model.position_seconds", 0.5)))
    assert "up to 0.5 s" in line
    values = {**changed("model.position_seconds", 24.0), "corpus": RECORDINGS}
    values["manifest"]["window_seconds"] = 6.0
    values["interventions"]["seconds"] = 6.5  # with prefix and opening 7.9 s
    (line,) = notices(parse_params(values))
    assert "are 7.9 s, from position 24 s on; MusicGen was trained on 30 s" in line
    values["manifest"]["window_seconds"] = 6.1
    assert "windows are 6.1 s, from position 24 s on" in notices(parse_params(values))[1]
    values = {**changed("interventions.position_shift_seconds", 22.5), "corpus": RECORDINGS}
    values["interventions"]["seconds"] = 6.5
    (line,) = notices(parse_params(values))
    assert "from position 22.5 s on" in line


@pytest.mark.parametrize("key", ["model.position_seconds", "interventions.position_shift_seconds"])
def test_positions_before_the_beginning_are_refused(key: str) -> None:
    with pytest.raises(ConfigError, match="greater than or equal to 0"):
        parse_params(changed(key, -0.5))


def test_a_length_that_is_auto_leaves_room_for_the_shift() -> None:
    values = {**changed("interventions.seconds", "auto"), "corpus": RECORDINGS}
    values["interventions"]["prefix_seconds"] = 22.0
    plain = parse_params(values).interventions
    values["interventions"]["position_shift_seconds"] = 0.5
    values["model"]["position_seconds"] = 0.25
    shifted = parse_params(values).interventions
    whole = shifted.prefix_seconds + shifted.opening_seconds + shifted.seconds
    assert whole + 0.75 <= CONTEXT_SECONDS
    assert shifted.seconds == pytest.approx(plain.seconds - 0.75)


def test_all_presets_stay_within_what_was_trained_on() -> None:
    for path in sorted(PRESETS.glob("*.yaml")):
        assert notices(parse_params(parse_yaml(preset(path.stem, root=PRESETS.parent)))) == [], (
            path.stem
        )
