"""``leitmotif use``: what is written, what is refused, and what is never lost."""

import json
import subprocess
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides
from hypothesis import given, settings
from hypothesis import strategies as st

from leitmotif import presets
from leitmotif.config import load_params
from leitmotif.errors import ConfigError
from leitmotif.yaml_files import parse_yaml

NAMES = ["folder", "musicgen-large", "musicgen-medium", "musicgen-small", "organism"]


@pytest.fixture
def checkout(tmp_path: Path, repo_root: Path) -> Path:
    """A git repository with the real presets, the organism's params committed."""
    (tmp_path / "presets").mkdir()
    for preset in (repo_root / "presets").glob("*.yaml"):
        (tmp_path / "presets" / preset.name).write_bytes(preset.read_bytes())
    presets.use("organism", root=tmp_path)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "start"]):
        subprocess.run([*git, *arguments], cwd=tmp_path, check=True)
    return tmp_path


def test_every_preset_is_offered(checkout: Path) -> None:
    assert presets.available(checkout) == NAMES


def test_a_whole_preset_is_written_byte_for_byte(checkout: Path) -> None:
    presets.use("organism", root=checkout)
    written = (checkout / "params.yaml").read_bytes()
    assert written == (checkout / "presets" / "organism.yaml").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_every_key_is_written(checkout: Path, name: str) -> None:
    presets.use(name, root=checkout)
    written = parse_yaml((checkout / "params.yaml").read_text(encoding="utf-8"))
    # Nothing defaulted, coerced or renamed.
    assert load_params(checkout / "params.yaml").model_dump() == written


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_says_what_differs_from_its_base(checkout: Path, name: str) -> None:
    """Every line of it that is not its base's name is a line of what is written."""
    text = (checkout / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("base:")]
    presets.use(name, root=checkout)
    written = (checkout / "params.yaml").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line not in written] == []
    assert written[0] == lines[0]
    base = parse_yaml(text).get("base")
    if base:
        theirs = parse_yaml(presets.preset(base, root=checkout))
        mine, changed = (parse_yaml("\n".join(text)) for text in (written, lines))
        for section in set(theirs) - set(changed):
            assert mine[section] == theirs[section]
        for section in set(changed) - {"corpus"}:
            assert mine[section] == theirs[section] | changed[section]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: organ\n", "there is no preset 'organ'"),
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
        ("organsim", [], "folder, musicgen-large, musicgen-medium, musicgen-small, organism"),
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
    for section, values in parse_yaml(original).items():
        for key, value in values.items():
            same = "null" if value is None else json.dumps(value)
            apply_overrides(params, [f"{section}.{key}={same}"])
            assert params.read_text(encoding="utf-8") == original

            apply_overrides(params, [f"{section}.{key}=other"])
            written = parse_yaml(params.read_text(encoding="utf-8"))
            assert written[section][key] == "other"
            params.write_text(original, encoding="utf-8")


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
