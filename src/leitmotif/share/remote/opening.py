"""A DVC remote, reached by DVC's own classes: the same configuration, the same credentials."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leitmotif.errors import ConfigError, LeitmotifError
from leitmotif.files import read_text
from leitmotif.share.remote.failures import explained

_BOUNDS = {"AWS_RETRY_MODE": "standard", "AWS_MAX_ATTEMPTS": "2"}
"""A request is made twice at most, and a client that fails often stops trying again."""
_SET_BY_DVC = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
_TRIES = 2
"""How often s3fs makes a request that ended in the middle."""
ADD = "leitmotif remote add URL (docs/sharing.md)"


@dataclass(frozen=True)
class Remote:
    """An opened remote and the cache of the repository that it serves."""

    name: str
    url: str
    endpoint: str | None
    """Address of a server that speaks S3 and is not Amazon's."""
    store: Any
    """DVC's object database of the remote (``dvc_data.hashfile.db.HashFileDB``)."""
    cache: Any
    """DVC's object database on this machine."""

    @property
    def files(self) -> Any:
        """The remote's file system (``fsspec``)."""
        return self.store.fs.fs

    @property
    def place(self) -> str:
        """The remote as errors call it."""
        return f"{self.url} at {self.endpoint}" if self.endpoint else self.url

    @property
    def is_s3(self) -> bool:
        """Whether it is a bucket."""
        return bool(self.store.fs.protocol == "s3")

    def path_of(self, oid: str) -> str:
        """Where the remote has an object, by its MD5."""
        return str(self.store.oid_to_path(oid))

    def cached(self, oid: str) -> Path:
        """Where this machine's cache has an object, or would have it."""
        return Path(self.cache.oid_to_path(oid))


@contextmanager
def open_remote(
    root: Path = Path(), name: str | None = None, settings: Mapping[str, Any] | None = None
) -> Iterator[Remote]:
    """Yield the remote ``name``, or the default one, of the repository in ``root``.

    ``settings`` stand for those in DVC's configuration files, if they are given. Within the body a
    connection that fails is not tried again for long.

    Raises LeitmotifError if there is no such remote, or if it cannot be opened.
    """
    with _bounded():
        with explained("the remote cannot be opened", name or "the default remote"):
            remote = _opened(root, name, settings)
        yield remote


def _opened(root: Path, name: str | None, settings: Mapping[str, Any] | None) -> Remote:
    from dvc.config import NoRemoteError, RemoteNotFoundError
    from dvc.exceptions import DvcException, NotDvcRepoError

    try:
        repo = opened_repo(root, name, settings)
        name = name or repo.config["core"].get("remote")
        remote = repo.cloud.get_remote(name)
    except NotDvcRepoError as error:
        raise LeitmotifError(
            "this is no DVC repository", found=error, fix="run this in the repository's root"
        ) from error
    except (NoRemoteError, RemoteNotFoundError) as error:
        raise LeitmotifError(
            f"there is no DVC remote {name or 'by default'}",
            found=", ".join(repo.config["remote"]) or "no remote",
            expected="a remote in .dvc/config, .dvc/config.local or the user's configuration",
            fix=ADD,
        ) from error
    except DvcException as error:
        raise ConfigError(
            "DVC cannot use its configuration",
            found=error,
            expected="every section of a remote with its url",
            fix=f"{ADD}, with --replace",
        ) from error
    except ImportError as error:
        raise LeitmotifError(
            "DVC does not reach this kind of place",
            found=error,
            expected="s3://BUCKET/PREFIX, or a folder",
            fix="install the package that it names",
        ) from error
    section = repo.config["remote"][name]
    url, endpoint = str(section["url"]), section.get("endpointurl")
    with explained("the remote cannot be opened", url, endpoint):
        files = remote.fs.fs
    if hasattr(files, "retries"):
        files.retries = _TRIES
    return Remote(str(name), url, endpoint, remote.odb, repo.cache.local)


def opened_repo(
    root: Path, name: str | None = None, settings: Mapping[str, Any] | None = None
) -> Any:
    """DVC's repository in ``root``; with ``settings``, its remote ``name`` has these alone.

    Raises ConfigError for a configuration that is no text file, and DVC's own errors.
    """
    from dvc.config import Config
    from dvc.repo import Repo

    for file in (root / ".dvc" / "config", root / ".dvc" / "config.local"):
        if os.path.lexists(file):
            # DVC would raise what the system says, or wait for ever at a pipe.
            read_text(file, fix=f"restore it from git, or {ADD}", error=ConfigError)
    # Given beforehand too: DVC refuses to open a repository with half a section of a remote.
    given = None if settings is None else {"remote": {name: {"url": settings["url"]}}}
    try:
        repo = Repo(str(root), config=given)
    except (SyntaxError, OSError, ValueError) as error:  # configobj's are SyntaxErrors
        raise ConfigError(
            "DVC cannot read its configuration",
            found=error,
            expected="sections of keys and values, without %( in them",
            fix="correct .dvc/config or .dvc/config.local",
        ) from error
    if settings is None:
        return repo
    values = {**repo.config, "remote": {**repo.config["remote"], name: dict(settings)}}
    repo.config.update(Config.validate(values))
    return repo


@contextmanager
def _bounded() -> Iterator[None]:
    """Let botocore try a request again once, and no client without end; leave no trace of it.

    DVC puts a remote's ``configpath`` into the environment, where the next remote would find it.
    """
    before = {name: os.environ.get(name) for name in (*_BOUNDS, *_SET_BY_DVC)}
    os.environ.update(_BOUNDS)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
