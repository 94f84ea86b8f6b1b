"""``leitmotif use``: what is written, what is refused, and what is never lost."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides

from leitmotif.cli import presets
from leitmotif.cli.preset_texts import available
from leitmotif.config import load_params
from leitmotif.errors import ConfigError, LeitmotifError
from leitmotif.files.yaml_files import parse_yaml

NAMES = available(Path(__file__).parents[2])


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
