"""Downloads files over HTTP with retries, and verifies them before they get their name."""

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from leitmotif.corpus.sources.transfer import AttemptError, Transfer, recorded_sha256
from leitmotif.errors import CorpusError, counted
from leitmotif.files import sha256_file

TIMEOUT = httpx.Timeout(60, connect=15)
LONGEST_WAIT = 60.0
"""Maximum time between two attempts in seconds."""


def download(
    url: str,
    target: Path,
    *,
    sha256: str | None,
    max_bytes: int,
    retries: int,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Download a file and return its SHA-256.

    An existing ``target`` is hashed. It stays if it has the expected hash, or without one, the hash
    that it had when it came from this URL. Otherwise it is moved to ``NAME.rejected`` and
    downloaded again.

    Parameters
    ----------
    url
        Address of the file.
    target
        Path of the result.
    sha256
        Expected hash; None if unknown.
    max_bytes
        Maximum size.
    retries
        Number of further attempts after a failure. The waits between them double from one second,
        with jitter.
    sleep
        Waits for a number of seconds.

    Raises
    ------
    CorpusError
        Names the file. It is raised if the server refuses it, if all attempts fail, if it is too
        large, or if it has another hash. In the last case it is kept as ``NAME.rejected``, and the
        next call starts from the beginning.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        actual = sha256_file(target)
        if actual == (sha256 or recorded_sha256(target, url)):
            return actual
        rejected = _reject(target, target)
        print(f"{target} is not what it should be and is now {rejected}", file=sys.stderr)
    with httpx.Client(
        follow_redirects=True,
        max_redirects=5,
        timeout=TIMEOUT,
        # Ranges count the bytes of the encoded body, so the body must not be compressed.
        headers={"Accept-Encoding": "identity", "User-Agent": "leitmotif"},
    ) as client:
        transfer = Transfer(client, url, target, max_bytes)
        return _transferred(transfer, sha256, attempts=retries + 1, sleep=sleep)


def _transferred(
    transfer: Transfer, sha256: str | None, *, attempts: int, sleep: Callable[[float], None]
) -> str:
    """Attempt a transfer until the file is the expected one, and return its SHA-256."""
    name, problem = transfer.target.name, ""
    for attempt in range(attempts):
        if attempt:
            wait = min(LONGEST_WAIT, 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)
            print(
                f"{name}: {problem}; attempt {attempt + 1} of {attempts} in {wait:.0f} s",
                file=sys.stderr,
            )
            sleep(wait)
        try:
            actual, resumed = transfer.attempt()
        except AttemptError as error:
            problem = str(error)
            continue
        if sha256 is None or actual == sha256:
            transfer.complete(actual)
            return actual
        rejected = _reject(transfer.partial, transfer.target)
        problem = f"SHA-256 {actual}, kept as {rejected}"
        if not resumed:
            raise CorpusError(
                f"{name} from {transfer.url} is not the file that was promised",
                found=problem,
                expected=f"SHA-256 {sha256}",
                fix="run again to download it afresh; if that does not help, the file at the "
                "source was changed or damaged and must not be used",
            )
    raise CorpusError(
        f"{name} could not be downloaded from {transfer.url} in {counted(attempts, 'attempt')}",
        found=problem,
        fix=f"check the network and run again; what came is kept in {transfer.partial}",
    )


def _reject(file: Path, target: Path) -> Path:
    """Move ``file`` to ``NAME.rejected``, replace an older one, and return the new path."""
    return file.replace(target.with_name(target.name + ".rejected"))
