"""The Python examples of README.md and docs/ run, page by page, each page in one namespace.

They run in a folder that has what they name: the repository's models, a recording, and activations
as the pipeline writes them. An example that cannot run says why, in a comment before it.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from safetensors.numpy import save_file

import leitmotif
from leitmotif.config import ActivationsParams, ModelParams
from leitmotif.files import sha256_file
from leitmotif.musicgen import HookedMusicGen
from leitmotif.store.cache.entries import WorkCache
from leitmotif.store.writing.build import StoreBuilder
from tests.tables.made import manifest_track

ROOT = Path(__file__).parents[1]
PLANNER = "models/organism/planner"
BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>[^\n]*?) -->\n)?```python\n(?P<code>.*?)```", re.DOTALL
)
PAGES = {
    page.relative_to(ROOT).as_posix(): list(BLOCK.finditer(page.read_text(encoding="utf-8")))
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
}
RUN = [name for name, blocks in PAGES.items() if any(not block["reason"] for block in blocks)]
NOT_RUN = {
    "docs/cluster.md": 1,
    "docs/lens.md": 1,
    "docs/protocol.md": 1,
    "docs/publishing.md": 2,
    "docs/stages/swaps.md": 1,
}
"""How many examples of a page say that they do not run."""


def _other_tools(names: dict[str, Any]) -> None:
    assert names["audio"].shape == (1, 128_000)  # 2 s of prefix and 2 s of new audio
    assert names["before"] - names["after"] > 3


def _probes(names: dict[str, Any]) -> None:
    assert names["found"].get_support(indices=True).tolist() == [3]
    X, y, Z, track = (names[name][~names["old"]] for name in ("X", "y", "Z", "track"))
    assert names["probe"].score(X, y, controls=Z, groups=track) > 0.3


def _notebook(names: dict[str, Any]) -> None:
    axes = [names[name] for name in ("waveform", "similarity", "stream", "attention")]
    assert all(ax.get_xlabel().endswith("(s)") for ax in axes)
    page = (ROOT / "docs" / "notebook.md").read_text(encoding="utf-8")
    shown = page.split("```text\n")[1].split("\n```")[0]
    assert shown == "\n".join(repr(names[name]) for name in ("model", "cache", "piece"))


SHOWN: dict[str, Callable[[dict[str, Any]], None]] = {
    "README.md": lambda names: _is(names["samples"].shape, (1, (416 + 200) * 640)),
    "docs/bench.md": lambda names: _is(callable(names["look"]), True),
    "docs/from-other-tools.md": _other_tools,
    "docs/judges.md": lambda names: _is(names["audio"].shape[0], 1),
    "docs/lens.md": lambda names: _is(names["codes"].shape, (4, 4, 200)),
    "docs/model.md": lambda names: _is(names["audio"].shape[0], 3),
    "docs/notebook.md": _notebook,
    "docs/probes.md": _probes,
    "docs/protocol.md": lambda names: _is(len(names["protocol"].lines) > 5, True),
    "docs/sae.md": lambda names: _is(names["rebuilt"].shape, names["x"].shape),
    "docs/stages/activations.md": lambda names: _is(names["array"].shape, (100, 128)),
    "docs/stages/features.md": lambda names: _is(names["chroma"].shape, (12, 100)),
}
"""What must be true after the last example of a page."""


def _is(value: object, expected: object) -> None:
    assert value == expected


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the examples expect it."""
    root = tmp_path_factory.mktemp("workplace")
    for name in ("models", "concepts.yaml", "hooks.yaml", "controls.yaml", "params.yaml"):
        (root / name).symlink_to(ROOT / name)
    [piece] = leitmotif.compose(1, seed=3, world=ROOT / "models/organism/world.json")
    soundfile.write(root / "recording.mp3", piece.samples, piece.sample_rate)
    corpus, rows = root / "corpus", []
    corpus.mkdir()
    for name in ("1076616", "track_0000100"):
        soundfile.write(corpus / f"{name}.wav", piece.samples[:64_000], piece.sample_rate)
        rows.append(
            manifest_track(
                track_id=name,
                path=f"{name}.wav",
                sha256=sha256_file(corpus / f"{name}.wav"),
                seconds=2.0,
            )
        )
    settings = {"prompt": "none", "dtype": "float16", "max_failures": 0}
    sites = ["layers.1.residual", "layers.2.residual"]
    model = {"name": PLANNER, "revision": None, "watch": PLANNER, "device": "cpu",
             "dtype": "float32", "text_padding": "auto",
             "position_seconds": 0.0}  # fmt: skip
    StoreBuilder(
        HookedMusicGen.from_pretrained(str(ROOT / PLANNER), device="cpu"),
        params=ActivationsParams.model_validate({**settings, "sites": sites}),
        model_params=ModelParams.model_validate(model),
        audio_root=corpus,
        cache=WorkCache(root / "work"),
    ).build(root / "data" / "activations", rows)
    (root / "data" / "features").mkdir()
    save_file({"chroma": np.zeros((12, 100), "f4")}, root / "data/features/1076616.safetensors")
    return root


def test_every_page_with_examples_is_known() -> None:
    assert set(RUN) == set(SHOWN)
    not_run = {name: sum(bool(b["reason"]) for b in blocks) for name, blocks in PAGES.items()}
    assert {name: count for name, count in not_run.items() if count} == NOT_RUN


def test_every_example_is_python() -> None:
    for name, blocks in PAGES.items():
        for block in blocks:
            compile(block["code"], name, "exec")


@pytest.mark.parametrize("page", RUN)
def test_the_examples_of_a_page_run(
    page: str, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workplace)
    monkeypatch.setenv("MPLBACKEND", "agg")
    load = HookedMusicGen.from_pretrained
    if page == "docs/model.md":  # the same calls on a model that is here, with six blocks too

        def here(name: str, **given: Any) -> HookedMusicGen:
            assert name == "facebook/musicgen-small"
            return load(PLANNER, device="cpu")

        monkeypatch.setattr(HookedMusicGen, "from_pretrained", here)
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in PAGES[page]:
        if not block["reason"]:
            exec(compile(block["code"], page, "exec"), names)
    SHOWN[page](names)
