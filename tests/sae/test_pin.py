"""Published autoencoders entered into hooks.yaml, from a server with the hub's layout."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from leitmotif.files import sha256_file
from leitmotif.sae.autoencoder.registry import Registry, load_registry
from leitmotif.share.protocol.schemas import schema_of
from tests.hub import serve_hub
from tests.sae.making import random_sae, write_published

REPOSITORY, REVISION = "someone/saes", "0123456789abcdef0123456789abcdef01234567"
PATH = "sae-32_k_100_11/facebook/musicgen-small"
NAMED = ("--name", "musicgen-small-11", "--prompt", "other")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("repository")
    write_published(root / PATH, random_sae(), layer=11)
    folder = write_published(root / "silent", random_sae(), layer=11)
    values = json.loads((folder / "cfg.json").read_text())
    del values["model_name"], values["context_size"]
    (folder / "cfg.json").write_text(json.dumps(values))
    return root


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    (tmp_path / "hooks.yaml").write_text(
        "# why\nformat: leitmotif-hooks/1\nhooks: []  # none yet\n"
    )
    return tmp_path


def pin(repository: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from leitmotif.cli import main; main()", "pin-sae"]
    with serve_hub({REPOSITORY: repository}, revision=REVISION) as hub:
        return subprocess.run(
            [*command, REPOSITORY, *arguments],
            cwd=cwd,
            env=hub.environment(cwd / "home"),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


def test_the_entry_is_complete(repository: Path, workplace: Path) -> None:
    before = (workplace / "hooks.yaml").read_text()
    done = pin(repository, workplace, PATH, *NAMED, "--revision", REVISION)
    assert done.returncode == 0, done.stderr
    (entry,) = YAML(typ="safe").load(done.stdout)
    jsonschema.validate({"format": "leitmotif-hooks/1", "hooks": [entry]}, schema_of(Registry))
    assert entry == {
        "name": "musicgen-small-11",
        "site": "layers.11.residual",
        "model": "facebook/musicgen-small",
        "model_revision": None,
        "model_fingerprint": None,
        "d_in": 8,
        "d_sae": 64,
        "k": 5,
        "normalize_activations": "none",
        "forward_dtype": None,
        "context_frames": 501,
        "audio": {"sample_rate": 32_000, "channels": "mono", "prompt": "other"},
        "checkpoint": {
            "source": "hub",
            "repository": REPOSITORY,
            "revision": REVISION,
            "path": PATH,
            "sha256": sha256_file(repository / PATH / "sae_weights.safetensors"),
            "config_sha256": sha256_file(repository / PATH / "cfg.json"),
        },
    }
    assert (workplace / "hooks.yaml").read_text() == before, "printed, not written"


def test_a_branch_is_pinned_to_its_commit_and_written(repository: Path, workplace: Path) -> None:
    done = pin(repository, workplace, PATH + "/", *NAMED, "--write")
    assert done.returncode == 0, done.stderr
    text = (workplace / "hooks.yaml").read_text()
    assert text.startswith("# why\n")
    assert done.stdout in text
    hook = load_registry(workplace / "hooks.yaml")["musicgen-small-11"]
    assert hook.checkpoint.source == "hub"
    assert (hook.checkpoint.revision, hook.checkpoint.path) == (REVISION, PATH)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("silent", *NAMED), "cfg.json does not say its model"),
        (("silent", *NAMED, "--model", "a/b"), "does not say its context_frames"),
        ((PATH, *NAMED, "--model", "a/b"), "--model is not what cfg.json says"),
        ((PATH, "--name", "a b", "--prompt", "none"), "cannot be a name in hooks.yaml"),
        ((PATH, "--name", "a", "--prompt", "some"), "audio.prompt cannot be entered"),
        (("nowhere", *NAMED), "cannot be loaded"),
        ((PATH, *NAMED, "--revision", "7" * 40), "cannot be loaded"),
    ],
)
def test_what_cannot_be_entered_is_refused(
    arguments: tuple[str, ...], message: str, repository: Path, workplace: Path
) -> None:
    before = (workplace / "hooks.yaml").read_text()
    done = pin(repository, workplace, *arguments, "--write")
    assert done.returncode == 1
    assert done.stderr.splitlines()[0].startswith("error: "), done.stderr
    assert message in done.stderr
    assert (workplace / "hooks.yaml").read_text() == before


def test_what_a_folder_does_not_say_can_be_given(repository: Path, workplace: Path) -> None:
    given = ("--model", "facebook/musicgen-small", "--context-frames", "501")
    done = pin(repository, workplace, "silent", *NAMED, *given)
    assert done.returncode == 0, done.stderr
    (entry,) = YAML(typ="safe").load(done.stdout)
    assert (entry["model"], entry["context_frames"]) == ("facebook/musicgen-small", 501)
