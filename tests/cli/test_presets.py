"""``leitmotif use``: what is written, what is refused, and what is never lost."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides
from hypothesis import given, settings
from hypothesis import strategies as st

from leitmotif.cli import presets
from leitmotif.cli.preset_texts import available, preset
from leitmotif.config import load_params
from leitmotif.errors import ConfigError, LeitmotifError
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


def test_a_whole_preset_is_written_byte_for_byte(checkout: Path) -> None:
    presets.use("organism", root=checkout)
    written = (checkout / "params.yaml").read_bytes()
    assert written == (checkout / "presets" / "organism.yaml").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_every_key_is_written(checkout: Path, name: str) -> None:
    presets.use(name, root=checkout)
    written = parse_yaml((checkout / "params.yaml").read_text(encoding="utf-8"))
    # Nothing defaulted, coerced or renamed, but for what follows from recordings.
    params = load_params(checkout / "params.yaml")
    values = params.model_dump()
    for place in params.auto:
        section, key = place.split(".")
        values[section][key] = "auto"
    assert values == written


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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: organ\n", "there is no preset 'organ'"),
        ("base: [organism, organ]\n", "there is no preset 'organ'"),
        ("base: []\n", "names no base"),
        ("base: organism\nmanifst:\n  tracks: 3\n", "did you mean manifest"),
        ("base: organism\nmanifest:\n", "manifest: found None"),
        ("base: organism\nmanifest:\n  trakcs: 3\n", "did you mean tracks"),
    ],
)
def test_a_preset_that_cannot_be_used_is_named(checkout: Path, text: str, message: str) -> None:
    (checkout / "presets" / "mine.yaml").write_text(f"# mine\n{text}")
    with pytest.raises(ConfigError) as caught:
        presets.use("mine", root=checkout)
    assert message in str(caught.value)


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
        ("activations.sites=[layers.4.mlp, layers.5.mlp]", ["layers.4.mlp", "layers.5.mlp"]),
        ("manifest.excluded_tag_words=[]", []),
    ],
)
def test_values_of_every_type(checkout: Path, setting: str, value: object) -> None:
    presets.use("organism", [setting], root=checkout)
    params = load_params(checkout / "params.yaml")
    section, key = setting.partition("=")[0].split(".")
    assert getattr(getattr(params, section), key) == value


def test_nothing_to_do_is_an_empty_diff(checkout: Path) -> None:
    assert presets.use("organism", root=checkout) == ""


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("organsim", [], ", ".join(NAMES)),
        ("../params", [], "there is no preset"),
        ("organism", ["manifest.tracks"], "expected: key=value"),
        ("organism", ["manifest.track=3"], "manifest.track: found 3; unknown key"),
        ("organism", ["manifst.tracks=3"], "manifst.tracks: there is no such key"),
        ("organism", ["model.name.x=3"], "model.name.x: there is no such key"),
        ("organism", ["manifest.tracks=none"], "manifest.tracks: found 'none'; expected"),
        ("organism", ["manifest.tracks=["], "manifest.tracks: the value is not YAML"),
    ],
)
def test_a_refusal_writes_nothing(
    checkout: Path, name: str, changes: list[str], message: str
) -> None:
    before = (checkout / "params.yaml").read_bytes()
    with pytest.raises(ConfigError) as caught:
        presets.use(name, changes, root=checkout)
    assert message in str(caught.value)
    assert (checkout / "params.yaml").read_bytes() == before


def test_uncommitted_settings_are_not_lost(checkout: Path) -> None:
    presets.use("organism", ["manifest.tracks=3"], root=checkout)
    precious = (checkout / "params.yaml").read_bytes()
    with pytest.raises(ConfigError, match="--force"):
        presets.use("folder", root=checkout)
    assert (checkout / "params.yaml").read_bytes() == precious

    presets.use("folder", root=checkout, force=True)
    assert load_params(checkout / "params.yaml").corpus.source == "folder"


def test_committed_settings_may_be_replaced(checkout: Path) -> None:
    presets.use("organism", ["manifest.tracks=3"], root=checkout)
    commit = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qam", "3"]
    subprocess.run(commit, cwd=checkout, check=True)
    assert "-  tracks: 3" in presets.use("folder", root=checkout)


def test_outside_a_repository_edits_are_kept(tmp_path: Path, checkout: Path) -> None:
    (checkout / ".git").rename(tmp_path / "elsewhere")
    presets.use("organism", ["manifest.tracks=3"], root=checkout)
    with pytest.raises(ConfigError, match="--force"):
        presets.use("folder", root=checkout)


@pytest.mark.parametrize("name", NAMES)
def test_dvc_can_set_every_key_and_changes_nothing_else(checkout: Path, name: str) -> None:
    """What ``dvc exp run -S key=value`` does to params.yaml, for each key that there is."""
    presets.use(name, root=checkout)
    params = checkout / "params.yaml"
    original = params.read_text(encoding="utf-8")
    values = {
        f"{section}.{key}": value
        for section, settings in parse_yaml(original).items()
        for key, value in settings.items()
    }
    same = {key: "null" if value is None else json.dumps(value) for key, value in values.items()}
    apply_overrides(params, [f"{key}={value}" for key, value in same.items()])
    assert params.read_text(encoding="utf-8") == original

    apply_overrides(params, [f"{key}=other" for key in values])
    written = parse_yaml(params.read_text(encoding="utf-8"))
    assert {name: set(settings.values()) for name, settings in written.items()} == {
        section: {"other"} for section in written
    }
    assert len(values) == sum(map(len, written.values()))


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


@pytest.mark.fault("setting", "an output of the pipeline as an input", outcome="refused by name")
@pytest.mark.parametrize("path", ["data/corpus", "data", ".", "metrics", "plots/x", "link"])
def test_an_output_is_no_input(checkout: Path, path: str) -> None:
    for folder in ("data/corpus", "metrics", "plots/x"):
        (checkout / folder).mkdir(parents=True)
    (checkout / "link").symlink_to(checkout / "data")
    with pytest.raises(ConfigError, match=r"corpus\.path cannot be used"):
        presets.use("folder", [f"corpus.path={path}"], root=checkout)


@pytest.mark.fault("params.yaml", "UTF-16, a folder, a link", outcome="refused, untouched")
@pytest.mark.parametrize("odd", ["utf-16", "folder", "link"])
def test_settings_that_cannot_be_read_stay(checkout: Path, odd: str) -> None:
    params = checkout / "params.yaml"
    text = params.read_text(encoding="utf-8")
    params.unlink()
    (checkout / "theirs.yaml").write_text(text, encoding="utf-8")
    match odd:
        case "utf-16":
            params.write_bytes(text.encode("utf-16"))
        case "folder":
            params.mkdir()
        case "link":
            params.symlink_to("theirs.yaml")
    with pytest.raises(LeitmotifError, match=r"params\.yaml"):
        presets.use("folder", root=checkout)
    assert (checkout / "theirs.yaml").read_text(encoding="utf-8") == text
    assert params.is_symlink() == (odd == "link")


@pytest.mark.fault("leitmotif use", "a kill between its two files", outcome="repeating it mends")
def test_both_files_are_written_or_the_next_use_mends(
    checkout: Path, repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dvc.yaml gets its name first: a kill leaves a dependency too many, never one too few."""
    shutil.copytree(repo_root / "src", checkout / "src")
    shutil.copy(repo_root / "dvc.yaml", checkout)
    (checkout / "models" / "mine").mkdir(parents=True)
    replace, names = Path.replace, []

    def killed(temporary: Path, target: Path) -> Path:
        names.append(target.name)
        if target.name == "params.yaml":
            raise KeyboardInterrupt
        return replace(temporary, target)

    old = (checkout / "params.yaml").read_bytes()
    chosen = ["probes.comparisons=[models/mine]"]
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            presets.use("organism", chosen, root=checkout)
    assert names == ["dvc.yaml", "params.yaml"]
    assert (checkout / "params.yaml").read_bytes() == old
    assert "      - models/mine\n" in (checkout / "dvc.yaml").read_text(encoding="utf-8")
    presets.use("organism", chosen, root=checkout)
    assert load_params(checkout / "params.yaml").probes.comparisons == ["models/mine"]


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


def test_settings_stay_when_the_same_preset_is_used_again(checkout: Path) -> None:
    chosen = ["corpus.path=music #1", "probes.folds=4", "manifest.excluded_tag_words=[voice]"]
    presets.use("folder", chosen, root=checkout, keep=True)
    first = (checkout / "params.yaml").read_bytes()
    assert presets.use("folder", root=checkout, keep=True) == ""
    assert (checkout / "params.yaml").read_bytes() == first
    presets.use("folder", ["probes.folds=3"], root=checkout, keep=True)
    params = load_params(checkout / "params.yaml")
    assert params.corpus.path == "music #1"
    assert params.probes.folds == 3
    assert params.manifest.excluded_tag_words == ["voice"]
    presets.use("folder", root=checkout, keep=False)
    assert load_params(checkout / "params.yaml").corpus.path == "recordings"


def test_comments_of_ones_own_are_not_lost(checkout: Path) -> None:
    presets.use("folder", ["probes.folds=4"], root=checkout, keep=True)
    params = checkout / "params.yaml"
    params.write_text(params.read_text() + "# mine\n")
    with pytest.raises(ConfigError, match="--force"):
        presets.use("folder", ["probes.folds=3"], root=checkout, keep=True)
    assert params.read_text().endswith("# mine\n")
