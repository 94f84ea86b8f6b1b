"""Setting a DVC remote up so that every revision of the repository still loads.

DVC reads ``.dvc/config`` of the revision that it looks at, and ``.dvc/config.local`` as it is now.
Where ``config.local`` has secrets of a remote and no url, an older revision, whose ``.dvc/config``
does not have this remote, cannot be loaded. So ``config.local`` gets the whole section.
"""

import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from leitmotif.errors import ConfigError, LeitmotifError, TargetError
from leitmotif.files import atomic, read_text, write_text
from leitmotif.files.owned import owner_of
from leitmotif.share.remote.failures import explained
from leitmotif.share.remote.opening import open_remote, opened_repo
from leitmotif.share.remote.trial import try_remote

SHARED, LOCAL, RETRIES = Path(".dvc/config"), Path(".dvc/config.local"), Path(".dvc/s3.ini")
USERS_OWN = "~/.aws/config"
RETRIES_TEXT = """\
# Settings of botocore for the remote in .dvc/config. In this mode a client that fails often stops
# trying again, so that `dvc push` ends soon after a server is gone, and not after minutes.
[default]
retry_mode = standard
"""
_TIMEOUTS = {"connect_timeout": "10", "read_timeout": "20"}
_SECRET = {"access_key_id", "secret_access_key", "session_token", "password", "profile"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Keys:
    """An access key and its secret."""

    access_key_id: str
    secret_access_key: str


def add_remote(
    root: Path,
    url: str,
    *,
    name: str = "storage",
    endpoint: str | None = None,
    profile: str | None = None,
    keys: Keys | None = None,
    local: bool = False,
    replace: bool = False,
) -> list[Path]:
    """Try a remote, then write it into DVC's configuration; returns the files that were written.

    Parameters
    ----------
    root : the repository.
    url : ``s3://BUCKET/PREFIX``, a folder, or what else DVC can reach.
    name : what DVC calls the remote.
    endpoint : address of a server that speaks S3 and is not Amazon's.
    profile : of AWS's own files; without one, the environment or these files' default counts.
    keys : written into ``.dvc/config.local``, which git ignores.
    local : write nothing into ``.dvc/config``, which git keeps.
    replace : whether a remote of this name with another URL is replaced.

    Raises LeitmotifError, with nothing written, if the remote exists or if one object cannot be
    written, read back and deleted.
    """
    _check_texts(url, endpoint, profile, *(astuple(keys) if keys else ()))
    _check(url, name, endpoint, profile, keys)
    url = url if "://" in url else str(_folder(url))
    _check_free(root, url, name, endpoint, replace)
    shared = {"url": url, "verify": "true"}
    if url.startswith("s3://"):
        shared |= {**({"endpointurl": endpoint} if endpoint else {}), **_TIMEOUTS}
    own = dict(shared)
    if keys:
        own |= {
            "access_key_id": keys.access_key_id, "secret_access_key": keys.secret_access_key
        }  # fmt: skip
    elif not profile:
        before = _section(root / LOCAL, name)
        if (before.get("url"), before.get("endpointurl")) == (url, endpoint):
            own |= {key: value for key, value in before.items() if key in _SECRET}
    retries = RETRIES.name
    if profile:
        own["profile"] = profile
        retries = USERS_OWN  # which may say more of the profile: a region, a role
    configured = {"configpath": retries} if url.startswith("s3://") else {}
    tried = {"configpath": str(root / SHARED.parent / retries)} if retries != USERS_OWN else {}
    with open_remote(root, name, settings=own | (tried if configured else {})) as remote:
        try_remote(remote)
    return _write(root, name, shared, own | configured, local=local)


def _write(
    root: Path, name: str, shared: Mapping[str, str], own: Mapping[str, str], *, local: bool
) -> list[Path]:
    written = [LOCAL]
    if "configpath" in own:
        if not (root / RETRIES).exists():
            written.append(RETRIES)
            write_text(root / RETRIES, RETRIES_TEXT)
        shared = {**shared, "configpath": RETRIES.name}
    # Only its owner may read a file with secrets, from the first byte on.
    with atomic(root / LOCAL) as temporary:
        temporary.touch(mode=0o600)
        temporary.write_bytes(_with_remote(root / LOCAL, name, own).encode())
        temporary.chmod(0o600)
    if not local:
        written.append(SHARED)
        write_text(root / SHARED, _with_remote(root / SHARED, name, shared))
    with explained("DVC cannot use the new configuration", str(root / LOCAL)):
        section = opened_repo(root).config["remote"].get(name, {})
    if section.get("url") != own["url"]:
        raise ConfigError(
            "DVC reads another remote than was written",
            found=section.get("url"),
            expected=own["url"],
            fix=f"correct {SHARED} and {LOCAL} by hand",
        )
    return written


def _check(
    url: str, name: str, endpoint: str | None, profile: str | None, keys: Keys | None
) -> None:
    for what, address in (("the URL", url), ("the endpoint", endpoint or "")):
        if "@" in address.partition("://")[2].partition("/")[0]:
            raise LeitmotifError(
                f"{what} has credentials in it",
                found="a user or a password before the @",
                expected="an address alone: .dvc/config is in git",
                fix="use --profile NAME, or --keys to type them; change a password that was shown",
            )
    if not _NAME.fullmatch(name):
        raise LeitmotifError(f"{name!r} is no name of a remote", expected="letters, digits, - or _")
    if endpoint is not None and not _is_address(endpoint):
        raise LeitmotifError(
            "the endpoint is no address", found=endpoint, expected="https://SERVER or with a port"
        )
    if url.startswith("s3://") and not urlsplit(url).netloc:
        raise LeitmotifError("the URL names no bucket", found=url, expected="s3://BUCKET/PREFIX")
    if not url.startswith("s3://") and (endpoint or profile or keys):
        raise LeitmotifError(
            "an endpoint, a profile and keys are for buckets", found=url, expected="s3://…"
        )
    if profile and keys:
        raise LeitmotifError("a profile and keys were given", expected="one of the two")


def _check_texts(*texts: str | None) -> None:
    """Raise LeitmotifError for what DVC's configuration does not give back as it is."""
    for text in texts:
        if text is not None and not (text.isprintable() and text.strip() and "%(" not in text):
            raise LeitmotifError(
                "a value cannot be written for DVC",
                found=f"{text!r:.200}",
                expected="text in one line, without %(, which DVC's configuration replaces",
            )


def _is_address(endpoint: str) -> bool:
    try:
        parts = urlsplit(endpoint)
        named = parts.hostname is not None and re.fullmatch(r"[^\s/]+", parts.netloc) is not None
        return parts.scheme in ("http", "https") and named and parts.port != 0
    except ValueError:  # brackets that do not match, a port that is none
        return False


def _folder(url: str) -> Path:
    """The folder of a remote on a disk, absolute; raises LeitmotifError where it has no place."""
    try:
        folder = Path(url).expanduser().absolute()
    except RuntimeError as error:
        raise LeitmotifError("there is no such folder", found=f"{url}: {error}") from error
    if owner := owner_of(folder):
        raise TargetError(
            f"{folder} cannot be a remote",
            found=f"a place that {owner}",
            expected="a place of its own, on another disk if possible",
        )
    return folder


def _check_free(root: Path, url: str, name: str, endpoint: str | None, replace: bool) -> None:
    """Raise LeitmotifError if there is another remote of this name."""
    for path in (SHARED, LOCAL):
        section = _section(root / path, name)
        other = section.get("url"), section.get("endpointurl")
        if section and not replace and other[0] and other != (url, endpoint):
            raise LeitmotifError(
                f"there is a remote {name} already",
                found=f"{section['url']} in {path}",
                expected="no remote of this name, or this URL and endpoint",
                fix="add --replace to write over it, or choose another --name",
            )
        secrets = sorted(_SECRET.intersection(section)) if path == SHARED else []
        if secrets and not replace:
            raise LeitmotifError(
                f"{SHARED} has secrets of the remote {name} in it, and is in git",
                found=", ".join(secrets),
                expected=f"these in {LOCAL}, which git ignores",
                fix="add --replace, then change what was published",
            )


def _section(path: Path, name: str) -> dict[str, str]:
    """A remote's section in one of DVC's configuration files, as text."""
    if not path.exists():
        return {}
    inside, values = False, {}
    for line in read_text(path).splitlines():
        if line.strip().startswith("["):
            inside = _is_section(line, name)
        elif inside and "=" in line and not line.strip().startswith("#"):
            key, _, value = line.partition("=")
            values[key.strip().lower()] = value.strip().strip("\"'")
    return values


def _with_remote(path: Path, name: str, section: Mapping[str, str]) -> str:
    """The file's text with the remote's section, as the default one; all other lines stay."""
    lines = read_text(path).splitlines() if path.exists() else []
    kept, inside = [], ""
    for line in lines:
        if line.strip().startswith("["):
            inside = line.strip()
        default = inside == "[core]" and re.match(r"\s*remote\s*=", line)
        if not default and not _is_section(inside, name):
            kept.append(line)
    if "[core]" not in map(str.strip, kept):
        kept.append("[core]")
    place = [line.strip() for line in kept].index("[core]") + 1
    kept.insert(place, f"    remote = {name}")
    kept += [f"['remote \"{name}\"']", *(f"    {key} = {_quoted(section[key])}" for key in section)]
    return "\n".join(kept) + "\n"


def _is_section(line: str, name: str) -> bool:
    return (
        re.fullmatch(rf"\[\s*'?\s*remote \"{re.escape(name)}\"\s*'?\s*\]", line.strip()) is not None
    )


def _quoted(value: str) -> str:
    if "\n" in value or ('"' in value and "'" in value):
        raise LeitmotifError(
            "a value cannot be written for DVC", found="both kinds of quotes in it"
        )
    if '"' in value:
        return f"'{value}'"
    return f'"{value}"' if re.search(r"[,#';\s]", value) or not value else value
