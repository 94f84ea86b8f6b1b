"""What was published is read back, as the card and the documentation say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from leitmotif.store.reading import ActivationStore, verify
from tests.peers import missing, python_with
from tests.share.publish.published_project import KEPT_BACK, SHARED, SITES, in_shards
from tests.share.publish.publishing import NAME, publish, there
from tests.share.publish.writable_hub import TOKEN, WritableHub


def environment(hub: WritableHub, home: Path) -> dict[str, str]:
    """What makes a process take the server for the hub."""
    kept = {key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"}
    set_up = {"HF_ENDPOINT": hub.address, "HF_HOME": str(home), "HF_TOKEN": TOKEN}
    return {**kept, **set_up, "HF_HUB_DISABLE_XET": "1"}


def blocks(text: str) -> dict[str, str]:
    """The examples in Python of a page, by the package that each is for."""
    found = re.findall(r"```python\n(.*?)```", text.replace("OWNER/NAME", NAME), flags=re.DOTALL)
    return {"datasets" if "load_dataset" in block else "leitmotif": block for block in found}


def run(python: str, code: str, env: dict[str, str], folder: Path) -> str:
    command = [python, "-c", code]
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def pages(hub: WritableHub, repo_root: Path) -> list[str]:
    """The card that was published, and the page of the documentation."""
    documentation = (repo_root / "docs" / "publishing.md").read_text(encoding="utf-8")
    return [there(hub)["README.md"].decode(), documentation]


def test_the_store_reads_what_was_published(
    project: Path, hub: WritableHub, tmp_path: Path, repo_root: Path
) -> None:
    publish(hub)
    env = environment(hub, tmp_path / "home")
    for page in pages(hub, repo_root):
        code = blocks(page)["leitmotif"] + "\nprint(folder, states.shape)"
        folder, shape = run(sys.executable, code, env, tmp_path).splitlines()[-1].split(maxsplit=1)
        assert shape == "(5, 4)"
    there_now = Path(folder) / "data" / "activations"
    assert verify(there_now, full=True) == []
    ours, theirs = ActivationStore(project / "data" / "activations"), ActivationStore(there_now)
    assert theirs.sites == list(SITES)
    for site in SITES:
        assert theirs.tracks(site) == list(SHARED)
        for track in SHARED:
            assert (theirs.load(site, track) == ours.load(site, track)).all()
            assert theirs.header(site, track) == ours.header(site, track)


def test_the_store_reads_published_shards_of_the_tracks_that_may_leave(
    project: Path, hub: WritableHub, tmp_path: Path
) -> None:
    store = ActivationStore(in_shards(project))
    said = publish(hub, "--dry-run")
    assert "4 tensors of shards left out" in said
    publish(hub)
    for path, content in there(hub).items():
        (tmp_path / "copy" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "copy" / path).write_bytes(content)
    arrived = tmp_path / "copy/data/activations"
    assert verify(arrived, full=True) == []
    theirs = ActivationStore(arrived)
    for site in SITES:
        assert theirs.tracks(site) == sorted(SHARED)
        for track in SHARED:
            assert (theirs.load(site, track) == store.load(site, track)).all()
            assert theirs.header(site, track) == store.header(site, track)
    kept_back = {name.encode() for name in KEPT_BACK}
    files = [path.read_bytes() for path in arrived.rglob("*.safetensors")]
    assert not any(name in content for name in kept_back for content in files)
    assert "has all of it already" in publish(hub)


def test_datasets_reads_the_tables_as_rows(
    project: Path, hub: WritableHub, tmp_path: Path, repo_root: Path
) -> None:
    python = python_with("datasets")
    if python is None:
        pytest.skip(missing("datasets", "datasets>=5"))
    publish(hub)
    env = environment(hub, tmp_path / "home")
    env.pop("PYTHONPATH", None)
    card, documentation = (blocks(page)["datasets"] for page in pages(hub, repo_root))
    count = "\nprint(files.num_rows, tracks.num_rows, files[0]['path'], tracks[0]['licence'])"
    listed = there(hub)["manifest.jsonl"].decode().splitlines()
    said = run(python, card + count, env, tmp_path).splitlines()[-1].split(maxsplit=3)
    assert said[:2] == [str(len(listed)), "6"]
    assert f'"path": "{said[2]}"' in listed[0]
    assert "CC0 1.0" in said[3]
    assert run(python, documentation, env, tmp_path).split()[-2:] == ["free", "baseline"]
    every = (
        "from datasets import get_dataset_config_names as names, load_dataset\n"
        f"for name in names({NAME!r}):\n"
        f"    print(name, load_dataset({NAME!r}, name, split='train').num_rows)\n"
    )
    rows = dict(line.split() for line in run(python, every, env, tmp_path).splitlines())
    assert rows == {
        "files": str(len(listed)),
        "tracks": "6",
        "activations": str(len(SITES) * len(SHARED)),
        "interventions": "5",
        "swaps": "1",
        "swap_summary": "1",
        "source_artifacts": str(len(SHARED)),
    }
