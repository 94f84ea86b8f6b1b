"""What the two experiments on concepts leave when they are killed, and what they find again."""

import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from leitmotif.config import Params, load_params
from leitmotif.stages.decoderlens import decoderlens
from leitmotif.stages.swaps import swaps
from tests.killing import dying

CACHE = Path(".leitmotif/lens")
STAGES: dict[str, Callable[[Params], None]] = {"decoderlens": decoderlens, "swaps": swaps}


@dataclass(frozen=True)
class Workplace:
    """A folder in which a stage has run without a break, and others that begin anew."""

    stage: str
    fresh: Callable[[], Path]
    made: Path

    def outputs(self) -> dict[str, bytes]:
        return outputs(self.made)

    def kept(self) -> int:
        return len(list((self.made / CACHE).iterdir()))


def outputs(root: Path) -> dict[str, bytes]:
    """Everything that a run leaves outside of the work cache, half files included."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for folder in ("data", "metrics", "plots")
        for path in sorted((root / folder).rglob("*"))
        if path.is_file()
    }


def times(root: Path) -> dict[str, int]:
    """When each entry of the work cache was written; an entry that is read stays as it is."""
    return {path.name: path.stat().st_mtime_ns for path in (root / CACHE).glob("*.safetensors")}


@pytest.fixture(scope="module", params=[*STAGES])
def workplace(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, repo_root: Path
) -> Workplace:
    whole = load_params(repo_root / "presets" / "organism.yaml").model_dump()
    whole["decoderlens"] |= {"prompts": 2, "seconds": 0.3, "tuning_steps": 1, "rows": 6}
    whole["swaps"] |= {
        "prompts": 1, "seconds": 0.3, "components": ["mlp"], "techniques": ["adjust"],
        "together": False, "rows": 8,
    }  # fmt: skip
    yaml = YAML()
    table = yaml.load(repo_root / "concepts.yaml")
    table["concepts"] = [one for one in table["concepts"] if one["name"] in ("piano", "trumpet")]

    def fresh() -> Path:
        root = tmp_path_factory.mktemp(request.param)
        (root / "models").symlink_to(repo_root / "models")
        yaml.dump(table, root / "concepts.yaml")
        yaml.dump(Params.model_validate(whole).model_dump(), root / "params.yaml")
        return root

    made = fresh()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        STAGES[request.param](load_params())
    return Workplace(request.param, fresh, made)


@pytest.mark.fault(
    "decoderlens and swaps stages",
    "process killed at several moments",
    outcome="resumed, the same bytes",
)
def test_a_stage_that_is_killed_again_and_again_ends_as_an_unbroken_one(
    workplace: Workplace,
) -> None:
    root, kept = workplace.fresh(), workplace.kept()
    assert kept > 10
    done = 0
    for file in (kept // 3, kept // 2):  # in the midst of one part of the work and another
        assert dying(workplace.stage, root, file=file, among="lens/") == -signal.SIGKILL
        now = times(root)
        assert len(now) == done + file - 1
        done = len(now)
    before = times(root)
    # All is played, and a clip is half there.
    assert dying(workplace.stage, root, file=1, among=".wav") == -signal.SIGKILL
    assert len(times(root)) == kept
    assert not outputs(root).keys() & {"data/lens/clips.jsonl", "data/swap_clips/clips.jsonl"}
    assert dying(workplace.stage, root, file=0, among="lens/") == 0
    assert times(root).items() >= before.items()
    assert outputs(root) == workplace.outputs()


@pytest.mark.fault(
    "decoderlens and swaps stages", "a result in the work cache is damaged", outcome="made again"
)
def test_a_damaged_result_is_made_again(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = workplace.fresh()
    shutil.copytree(workplace.made / CACHE, root / CACHE)
    written = times(root)
    damaged = sorted((root / CACHE).iterdir())[::5]
    for path in damaged:
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    monkeypatch.chdir(root)
    STAGES[workplace.stage](load_params())
    assert times(root).keys() == written.keys()
    assert outputs(root) == workplace.outputs()
