"""Autoencoders from a server with the hub's layout: pinned, resumed and refused."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from leitmotif.files import sha256_file
from leitmotif.sae.autoencoder import load_sae
from leitmotif.sae.autoencoder.registry import HubCheckpoint
from tests.hub import Hub, serve_hub
from tests.sae.making import random_sae, write_published
from tests.waiting import wait_until

REPOSITORY, REVISION = "someone/saes", "0123456789abcdef0123456789abcdef01234567"
PATH = "sae-32_k_100_1/facebook/musicgen-small"
WEIGHTS = f"{PATH}/sae_weights.safetensors"
MIB = 1 << 20
PROGRAM = """
import sys
from leitmotif.errors import LeitmotifError
from leitmotif.sae.autoencoder.fetch import fetch
from leitmotif.sae.autoencoder.registry import HubCheckpoint

try:
    print(fetch(HubCheckpoint.model_validate_json(sys.argv[1])))
except LeitmotifError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of 27 MB: the hub's client writes them down in pieces of 10 MiB."""
    root = tmp_path_factory.mktemp("repository")
    write_published(root / PATH, random_sae(width=100, features=32_768, k=100))
    return root


@pytest.fixture
def hub(repository: Path) -> Iterator[Hub]:
    with serve_hub({REPOSITORY: repository}, revision=REVISION) as running:
        yield running


def checkpoint(root: Path, **changes: str) -> HubCheckpoint:
    values = {
        "source": "hub",
        "repository": REPOSITORY,
        "revision": REVISION,
        "path": PATH,
        "sha256": sha256_file(root / WEIGHTS),
        "config_sha256": sha256_file(root / PATH / "cfg.json"),
    }
    return HubCheckpoint.model_validate(values | changes)


def start(wanted: HubCheckpoint, environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, wanted.model_dump_json()],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def fetched(wanted: HubCheckpoint, environment: dict[str, str]) -> Path:
    process = start(wanted, environment)
    out, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    return Path(out.strip().splitlines()[-1])


def refused(wanted: HubCheckpoint, environment: dict[str, str]) -> str:
    process = start(wanted, environment)
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 1, errors
    message = errors[errors.index("ModelError: ") :]
    assert "Traceback" not in errors
    return message


def test_one_commit_is_fetched_once(repository: Path, hub: Hub, tmp_path: Path) -> None:
    wanted, environment = checkpoint(repository), hub.environment(tmp_path)
    folder = fetched(wanted, environment)
    for name in ("cfg.json", "sae_weights.safetensors"):
        assert (folder / name).read_bytes() == (repository / PATH / name).read_bytes()
    asked = [path for path in hub.requests if REPOSITORY in path]
    assert all(REVISION in path for path in asked), asked
    assert hub.sent == [
        ("sae_weights.safetensors", 0, (repository / WEIGHTS).stat().st_size),
    ]
    assert not list(tmp_path.rglob("*.partial"))
    # A second call asks nobody, a hub that is away included.
    hub.requests.clear()
    assert fetched(wanted, environment) == folder
    assert not [path for path in hub.requests if REPOSITORY in path]
    assert fetched(wanted, {**environment, "HF_HUB_OFFLINE": "1"}) == folder


@pytest.mark.fault("download of an autoencoder", "connection lost", outcome="resumed")
def test_a_lost_connection_is_taken_up_again(repository: Path, hub: Hub, tmp_path: Path) -> None:
    hub.stop_after = 11 * MIB
    hub.go_on.set()
    fetched(checkpoint(repository), hub.environment(tmp_path))
    assert [first for _, first, _ in hub.sent] == [0, 10 * MIB, 20 * MIB]


@pytest.mark.fault("download of an autoencoder", "process killed", outcome="resumed")
@pytest.mark.parametrize("event", ["the process is killed", "the hub goes away"])
def test_an_interrupted_download_resumes(event: str, repository: Path, tmp_path: Path) -> None:
    wanted = checkpoint(repository)
    with serve_hub({REPOSITORY: repository}, revision=REVISION) as first:
        first.stop_after = 21 * MIB
        process = start(wanted, first.environment(tmp_path))
        assert first.stopped.wait(200)
        held = wait_for_partial(tmp_path, 20 * MIB)
        if event == "the process is killed":
            process.kill()
            process.communicate()
    if event == "the hub goes away":
        _, errors = process.communicate(timeout=200)
        assert "ModelError: the model someone/saes cannot be loaded" in errors
        assert "the hub cannot be reached" in errors
        assert "Traceback" not in errors
    with serve_hub({REPOSITORY: repository}, revision=REVISION) as second:
        folder = fetched(wanted, second.environment(tmp_path))
    assert sha256_file(folder / "sae_weights.safetensors") == wanted.sha256
    size = (repository / WEIGHTS).stat().st_size
    assert second.sent == [("sae_weights.safetensors", held, size - held)]


def wait_for_partial(home: Path, size: int) -> int:
    """Bytes kept, once there are as many as ``size``."""
    wait_until(lambda: max(kept_bytes(home), default=0) >= size)
    return max(kept_bytes(home))


def kept_bytes(home: Path) -> list[int]:
    return [path.stat().st_size for path in home.rglob("*.partial")]


@pytest.mark.fault(
    "download of an autoencoder", "bytes changed on their way", outcome="thrown away, named"
)
def test_bytes_that_changed_on_their_way_are_thrown_away(
    repository: Path, hub: Hub, tmp_path: Path
) -> None:
    wanted, environment = checkpoint(repository), hub.environment(tmp_path)
    hub.flip = True
    message = refused(wanted, environment)
    assert "damaged on its way" in message
    assert wanted.sha256 in message
    assert len(set(re.findall(r"[0-9a-f]{64}", message))) == 2
    hub.flip = False
    fetched(wanted, environment)


@pytest.mark.fault("download of an autoencoder", "another hash than pinned", outcome="refused")
@pytest.mark.parametrize(
    ("key", "name"), [("sha256", "sae_weights.safetensors"), ("config_sha256", "cfg.json")]
)
def test_another_hash_than_the_pinned_one_is_refused(
    key: str, name: str, repository: Path, hub: Hub, tmp_path: Path
) -> None:
    message = refused(checkpoint(repository, **{key: "5" * 64}), hub.environment(tmp_path))
    assert f"{name} is not the file that hooks.yaml pins" in message
    assert f"found:    SHA-256 {getattr(checkpoint(repository), key)}" in message
    assert f"expected: {'5' * 64}" in message


def test_what_is_not_to_be_had_is_named(repository: Path, hub: Hub, tmp_path: Path) -> None:
    environment = hub.environment(tmp_path)
    for changes in ({"revision": "6" * 40}, {"path": "nowhere"}, {"repository": "someone/else"}):
        message = refused(checkpoint(repository, **changes), environment)
        assert "cannot be loaded" in message
        assert next(iter(changes.values())) in message
    away = {**environment, "HF_ENDPOINT": "http://127.0.0.1:9"}
    message = refused(checkpoint(repository), away)
    assert "the hub cannot be reached" in message
    assert "check the entry in hooks.yaml, the network" in message
    message = refused(checkpoint(repository), {**environment, "HF_HUB_OFFLINE": "1"})
    assert "offline" in message.lower()


@pytest.mark.full_size
def test_the_published_size(tmp_path: Path) -> None:
    """268 MB, a few seconds: random weights of the shapes that were published."""
    root = tmp_path / "repository"
    write_published(root / PATH, random_sae(width=1024, features=32_768, k=100))
    with serve_hub({REPOSITORY: root}, revision=REVISION) as hub:
        folder = fetched(checkpoint(root), hub.environment(tmp_path / "home"))
    sae = load_sae(folder)
    assert (sae.config.d_in, sae.config.d_sae, sae.config.k) == (1024, 32_768, 100)
    codes = sae.encode(torch.randn(50, 1024, generator=torch.Generator().manual_seed(0)))
    assert int(codes.l0.max()) <= 100
