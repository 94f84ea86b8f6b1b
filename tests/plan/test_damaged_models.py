"""A model's folder whose sizes cannot be read is named: no plan is made of a guess."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leitmotif.errors import ConfigError
from leitmotif.plan.sizes import judge_bytes, size_of

NAME = "model.safetensors"
NO_FILE: dict[str, Callable[[Path], object]] = {
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
}
NO_TENSORS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "without its last byte": lambda content: content[:-1],
    "text": lambda content: b"not weights",
}


@pytest.fixture
def folder(tmp_path: Path, repo_root: Path) -> Path:
    """A copy of the planner, as far as a plan reads it."""
    for name in ("config.json", NAME):
        shutil.copy(repo_root / "models/organism/planner" / name, tmp_path)
    return tmp_path


@pytest.mark.fault(
    "leitmotif plan", "no file in the place of a model's weights", outcome="refused by name"
)
@pytest.mark.parametrize("kind", NO_FILE)
def test_weights_that_are_no_file(folder: Path, kind: str) -> None:
    (folder / NAME).unlink()
    NO_FILE[kind](folder / NAME)
    for read in (size_of, judge_bytes):
        with pytest.raises(ConfigError, match=f"{NAME} cannot be read"):
            read(str(folder), None)


@pytest.mark.fault(
    "leitmotif plan", "weights of the model that are cut or other bytes", outcome="refused by name"
)
@pytest.mark.parametrize("kind", NO_TENSORS)
def test_weights_that_hold_no_tensors(folder: Path, kind: str) -> None:
    (folder / NAME).write_bytes(NO_TENSORS[kind]((folder / NAME).read_bytes()))
    with pytest.raises(ConfigError, match=f"{NAME} cannot be read"):
        size_of(str(folder))


@pytest.mark.fault("leitmotif plan", "a model's folder without weights", outcome="refused by name")
@pytest.mark.parametrize("other", [None, "pytorch_model.bin"])
def test_no_weights(folder: Path, other: str | None) -> None:
    (folder / NAME).unlink()
    if other is not None:  # MusicGen is never read from a pickle, a judge may be
        (folder / other).write_bytes(b"1234")
    with pytest.raises(ConfigError, match="has no weights"):
        size_of(str(folder))
    if other is None:
        with pytest.raises(ConfigError, match="has no weights"):
            judge_bytes(str(folder), None)
    else:
        assert judge_bytes(str(folder), None) == (4, True)


@pytest.mark.fault(
    "leitmotif plan", "a name that is no folder and no hub id", outcome="refused by name"
)
@pytest.mark.parametrize("name", ["models/organism/gone", "a b", "../models/planner"])
def test_a_name_that_no_checkpoint_has(name: str) -> None:
    for read in (size_of, judge_bytes):
        with pytest.raises(ConfigError, match="is no checkpoint"):
            read(name, None)


@pytest.mark.fault(
    "leitmotif plan", "sizes in config.json that no model has", outcome="refused by name"
)
@pytest.mark.parametrize("value", [None, "3", -5, 0, 1.5, 10**30, True, [], {}, [0], 1e308])
@pytest.mark.parametrize(
    ("part", "key"),
    [
        ("decoder", "num_hidden_layers"),
        ("decoder", "hidden_size"),
        ("decoder", "num_codebooks"),
        ("audio_encoder", "sampling_rate"),
    ],
)
def test_sizes_that_no_model_has(folder: Path, part: str, key: str, value: Any) -> None:
    values = json.loads((folder / "config.json").read_text())
    values[part][key] = value
    (folder / "config.json").write_text(json.dumps(values))
    with pytest.raises(ConfigError, match="is not a MusicGen checkpoint"):
        size_of(str(folder))
