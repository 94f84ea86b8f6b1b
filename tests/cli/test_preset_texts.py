"""Presets as text: bases, single settings, and what is typed for them."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leitmotif.cli import presets
from leitmotif.cli.preset_texts import available, preset, preset_values
from leitmotif.config import load_params
from leitmotif.errors import ConfigError
from leitmotif.files.yaml_files import parse_yaml

NAMES = [
    "folder",
    "musicgen-folder",
    "musicgen-folder-large",
    "musicgen-folder-medium",
    "musicgen-large",
    "musicgen-medium",
    "musicgen-small",
    "organism",
    "rehearsal",
]


def test_every_preset_is_offered(checkout: Path) -> None:
    assert available(checkout) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_says_what_differs_from_its_base(checkout: Path, name: str) -> None:
    """Every line of it that is not its base's name is a line of what is written."""
    text = (checkout / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
    bases = parse_yaml(text).get("base", [])
    named = "base:" if isinstance(bases, str) else ("base:", "- ")
    lines = [line for line in text.splitlines() if not line.startswith(named)]
    presets.use(name, root=checkout)
    written = (checkout / "params.yaml").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line not in written] == []
    assert written[0] == lines[0]
    if isinstance(bases, str):
        theirs = parse_yaml(preset(bases, root=checkout))
        mine, changed = (parse_yaml("\n".join(text)) for text in (written, lines))
        for section in set(theirs) - set(changed):
            assert mine[section] == theirs[section]
        for section in set(changed) - {"corpus"}:
            assert mine[section] == theirs[section] | changed[section]


@pytest.mark.parametrize("name", NAMES)
def test_the_values_alone_are_those_of_the_text(checkout: Path, name: str) -> None:
    assert preset_values(name, root=checkout) == parse_yaml(preset(name, root=checkout))


@pytest.mark.parametrize("text", ["base: mine\n", "base: organ\n", "base: 3\n", "- 1\n", "a: [\n"])
def test_values_are_refused_as_texts_are(checkout: Path, text: str) -> None:
    (checkout / "presets" / "mine.yaml").write_text(text)
    with pytest.raises(ConfigError) as by_text:
        preset("mine", root=checkout)
    with pytest.raises(ConfigError) as by_values:
        preset_values("mine", root=checkout)
    assert str(by_values.value) == str(by_text.value)


@pytest.mark.parametrize("size", ["medium", "large"])
def test_a_model_and_a_folder_are_combined(checkout: Path, size: str) -> None:
    """Sections that the folder's preset changes are its own, and all others the model's."""
    combined, model, folder = (
        parse_yaml(preset(name, root=checkout))
        for name in (f"musicgen-folder-{size}", f"musicgen-{size}", "musicgen-folder")
    )
    changed = parse_yaml((checkout / "presets" / "musicgen-folder.yaml").read_text("utf-8"))
    changed.pop("base")
    for section, keys in changed.items():
        for key in keys:
            assert combined[section][key] == folder[section][key]
    assert combined["corpus"] == folder["corpus"]
    for section in ("model", "sae", "calibration", "judge", "decoderlens"):
        assert combined[section] == model[section]
    assert combined["activations"]["sites"] == model["activations"]["sites"]
    assert combined["activations"]["max_failures"] == folder["activations"]["max_failures"]


@pytest.mark.parametrize("name", NAMES)
def test_a_setting_changes_one_line_and_keeps_comments(checkout: Path, name: str) -> None:
    presets.use(name, root=checkout)
    diff = presets.use(name, ["features.max_failures=77"], root=checkout)
    changes = [line for line in diff.splitlines()[2:] if line[0] in "+-"]
    assert len(changes) == 2
    assert changes[1] == "+  max_failures: 77"
    assert load_params(checkout / "params.yaml").features.max_failures == 77


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("manifest.tracks=3", 3),
        ("manifest.min_seconds=2.5", 2.5),
        ("manifest.require_licence=false", False),
        ("model.revision=null", None),
        ("manifest.windows=all", "all"),
        ("sae.hooks=[planner-0, planner-1]", ["planner-0", "planner-1"]),
        ("manifest.excluded_tag_words=[]", []),
    ],
)
def test_values_of_every_type(checkout: Path, setting: str, value: object) -> None:
    presets.use("organism", [setting], root=checkout)
    params = load_params(checkout / "params.yaml")
    section, key = setting.partition("=")[0].split(".")
    assert getattr(getattr(params, section), key) == value


TYPED = [
    "/x/mix #1",
    " a",
    "a ",
    "a: b",
    "it's",
    '"quoted"',
    "yes",
    "no",
    "1e3",
    "0x10",
    "null",
    "~",
    "~/music",
    "a\\b",
    "Kalāma ♫",
    "[a]",
    "{a: b}",
    "",
    "a=b=c",
    "- a",
    "*a",
    "&a",
    "!a",
    "%a",
    "@a",
    "`a",
    "|",
    ">",
    "? a",
    "3",
    "2001-01-01",
    "true",
    "${model.name}",
    "a,b",
    "a\tb",
    "a\nb",
    "\u2028",
    "\ufeff",
    "\x07",
    "a" * 5000 + " b",
]


@pytest.mark.fault(
    "setting on the command line", "text that YAML reads otherwise", outcome="as typed"
)
@pytest.mark.parametrize("typed", TYPED, ids=lambda typed: ascii(typed)[:20])
def test_text_is_taken_as_typed(checkout: Path, typed: str) -> None:
    text = preset("folder", [f"corpus.path={typed}"], root=checkout)
    (checkout / "params.yaml").write_text(text, encoding="utf-8")
    assert load_params(checkout / "params.yaml").corpus.path == typed


@settings(max_examples=60)
@given(
    typed=st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0\x85"), max_size=30
    )
)
def test_any_text_is_taken_as_typed(
    repo_root: Path, tmp_path_factory: pytest.TempPathFactory, typed: str
) -> None:
    text = preset("folder", [f"corpus.path={typed}"], root=repo_root)
    assert parse_yaml(text)["corpus"]["path"] == typed


def test_null_is_a_value_where_there_may_be_none(checkout: Path) -> None:
    presets.use("organism", ["model.revision=null", "judge.clap_revision=~"], root=checkout)
    params = load_params(checkout / "params.yaml")
    assert (params.model.revision, params.judge.clap_revision) == (None, None)


@pytest.mark.fault(
    "setting on the command line", "a comment or two values", outcome="refused by name"
)
@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("manifest.tracks=3 #4", "the value is not YAML"),
        ("manifest.tracks=3, 4", "not one value"),
        ("manifest.tracks=", "not one value"),
        ("manifest.excluded_tag_words=[voice #1]", "the value is not YAML"),
        ("corpus.path=a\0b", "NUL"),
        ("corpus.path=\udcff", "not UTF-8"),
        ("corpus.path=\x85", "YAML cannot hold this value"),
    ],
)
def test_nothing_is_cut_off_a_value(checkout: Path, setting: str, message: str) -> None:
    before = (checkout / "params.yaml").read_bytes()
    with pytest.raises(ConfigError, match=message):
        presets.use("organism", [setting], root=checkout)
    assert (checkout / "params.yaml").read_bytes() == before


@pytest.mark.fault("preset", "a base of itself", outcome="refused by name")
def test_a_preset_that_builds_on_itself_is_named(checkout: Path) -> None:
    (checkout / "presets" / "mine.yaml").write_text("base: yours\n")
    (checkout / "presets" / "yours.yaml").write_text("base: mine\n")
    (checkout / "presets" / "second.yaml").write_text("base: [folder, second]\n")
    for name in ("mine", "second"):
        with pytest.raises(ConfigError, match="is a base of itself"):
            presets.use(name, root=checkout)


WORDS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)


@settings(max_examples=30)
@given(tracks=st.integers(1, 10**6), seconds=st.floats(1e-6, 1e6), words=st.lists(WORDS))
def test_any_setting_reads_back(
    repo_root: Path,
    tmp_path_factory: pytest.TempPathFactory,
    tracks: int,
    seconds: float,
    words: list[str],
) -> None:
    root = tmp_path_factory.mktemp("use")
    (root / "presets").symlink_to(repo_root / "presets")
    chosen = {"tracks": tracks, "min_seconds": seconds, "excluded_tag_words": words}
    presets.use("organism", [f"manifest.{k}={json.dumps(v)}" for k, v in chosen.items()], root=root)
    written = parse_yaml((root / "params.yaml").read_text(encoding="utf-8"))["manifest"]
    assert written == written | chosen
