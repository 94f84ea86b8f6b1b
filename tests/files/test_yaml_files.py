"""YAML is read as DVC reads it, or refused by name."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml.error import YAMLError

from leitmotif.config import Params, load_params
from leitmotif.errors import ConfigError, LeitmotifError
from leitmotif.files.yaml_files import EditableYaml, parse_yaml, read_stages, read_yaml

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.fault("YAML", "nesting, aliases, tags, values out of range", outcome="named error")
@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "a: " + "{b: " * 3000 + "1" + "}" * 3000,
        "\n".join(" " * depth + "a:" for depth in range(500)),
        LAUGHS,
        "a: &a [*a]",
        "a: 1\na: 2",
        "a: 2001-99-99",
        "a: !!bool maybe",
        "a: !!int many",
        "a: !!python/object/apply:os.system ['true']",
        "a: " + "1" * 5000,
        "? {a: b}\n: c",
        "a: \0",
        "a: [",
        "a: b\n--- \nc: d",
    ],
    ids=lambda text: text[:20],
)
def test_yaml_that_is_of_no_use_is_refused(tmp_path: Path, text: str) -> None:
    for parse in (parse_yaml, EditableYaml):
        with pytest.raises(YAMLError):
            parse(text)
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"params\.yaml is not"):
        read_yaml(path)


def test_aliases_of_a_sensible_size_are_read() -> None:
    assert parse_yaml("a: &a [1, 2]\nb: *a\nc: [*a, *a]") == {
        "a": [1, 2],
        "b": [1, 2],
        "c": [[1, 2], [1, 2]],
    }


@pytest.mark.parametrize("text", ["", "- a", "stages: 3", "stages:\n  a: 3"])
def test_a_pipeline_without_stages_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "dvc.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"dvc\.yaml has no stages"):
        read_stages(tmp_path / "dvc.yaml")


@pytest.mark.fault("params.yaml", "bytes removed, added or changed", outcome="read, or named error")
@given(data=st.data())
def test_mutated_params_are_read_or_refused(
    repo_root: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = (repo_root / "presets" / "organism.yaml").read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    length = data.draw(st.integers(0, 40))
    odd = st.sampled_from([b"\0", b"\xff\xfe", b"&a *a", b"{", b"[" * 99, b"\r\n", b"!!python/x "])
    put = data.draw(odd | st.binary(max_size=6))
    path = tmp_path_factory.mktemp("params") / "params.yaml"
    path.write_bytes(content[:at] + put + content[at + length :])
    try:
        read = load_params(path)
    except LeitmotifError as error:
        message = str(error)
    else:
        message = str(path)
        assert isinstance(read, Params)
    assert str(path) in message
