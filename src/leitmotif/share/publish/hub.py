"""The model hub: a client with bounded waits, and its errors in words."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from leitmotif.errors import LeitmotifError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

PATIENCE = 60.0
"""Seconds without a byte from the hub after which a request is given up; it is tried six times."""
AGAIN = "run the same command again: what was uploaded is kept, and only the rest is sent"
_NO_XET = "if that hub has no Xet storage, set HF_HUB_DISABLE_XET=1"

_STATUS = {
    401: ("the hub does not accept the token", "run `hf auth login`, or set HF_TOKEN"),
    403: (
        "the token may not write there",
        "use a token with the right to write, and a name that belongs to you or your organisation",
    ),
    404: ("the hub does not find it", "check the name of the data set and the token's rights"),
    409: ("the hub reports a conflict", AGAIN),
    412: ("the data set changed meanwhile", AGAIN),
    413: ("the hub takes no more", "free some room there, or ask for more, then " + AGAIN),
    429: ("the hub asks to slow down", f"wait some minutes, then {AGAIN}"),
    507: ("the hub takes no more", "free some room there, or ask for more, then " + AGAIN),
}


def check_name(repository: str) -> None:
    """Raise LeitmotifError unless a name is one of a data set on the hub."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    problem = "no owner" if "/" not in repository else None
    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        problem = str(error)
    if problem is not None:
        raise LeitmotifError(
            f"{repository!r} cannot be a data set on the hub",
            found=problem,
            expected="OWNER/NAME",
            fix="take your name on the hub, or that of your organisation, as OWNER",
        )


def connect(endpoint: str | None = None, *, patience: float = PATIENCE) -> "HfApi":
    """A client of the hub, whose requests end; huggingface_hub's own wait for ever.

    The token is that of huggingface_hub: ``HF_TOKEN``, or what ``hf auth login`` stored.

    Parameters
    ----------
    endpoint
        Address of the hub; None: ``HF_ENDPOINT``, or huggingface.co.
    patience
        Seconds; see ``PATIENCE``. It holds for all of huggingface_hub in this process.
    """
    from huggingface_hub import HfApi, get_session, set_client_factory
    from huggingface_hub.utils import (  # type: ignore[attr-defined]
        disable_progress_bars,
        logging,
    )

    pattern = get_session()
    client, hooks = type(pattern), pattern.event_hooks
    set_client_factory(lambda: client(event_hooks=hooks, follow_redirects=True, timeout=patience))
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    disable_progress_bars()
    return HfApi(endpoint=endpoint, library_name="leitmotif", library_version=version("leitmotif"))


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Turn what the client raises into LeitmotifError; ``what`` says what failed.

    No message holds the token: those of the client name addresses and the server's words only.
    """
    from huggingface_hub.errors import (
        HfHubHTTPError,
        LocalTokenNotFoundError,
        OfflineModeIsEnabled,
    )

    try:
        yield
    except LeitmotifError:
        raise
    except LocalTokenNotFoundError:
        raise LeitmotifError(
            what, found="no token", fix="run `hf auth login`, or set HF_TOKEN"
        ) from None
    except OfflineModeIsEnabled as error:
        raise LeitmotifError(
            what, found="HF_HUB_OFFLINE is set", fix="unset it for this command"
        ) from error
    except (HfHubHTTPError, RuntimeError, ValueError, OSError) as error:
        answer = _answer(error)
        if answer is not None:
            raise _refused(what, answer) from error
        found = _first_line(error)
        fix = f"{AGAIN}; {_NO_XET}" if "xet" in found.lower() else AGAIN
        raise LeitmotifError(what, found=found, fix=fix) from error
    except lost_connections() as error:
        raise LeitmotifError(
            what,
            found=f"the hub cannot be reached: {error or type(error).__name__}",
            fix=f"check the network and HF_ENDPOINT, then {AGAIN}",
        ) from error


def lost_connections() -> tuple[type[Exception], ...]:
    """What the HTTP library raises; huggingface_hub 1 brings httpx, huggingface_hub 2 httpx2."""
    modules = (sys.modules.get(name) for name in ("httpx", "httpx2"))
    return tuple(module.TransportError for module in modules if module is not None)


def _answer(error: BaseException) -> "tuple[int, str] | None":
    """Status and words of the server's answer, which an upload hides behind another error."""
    from huggingface_hub.errors import HfHubHTTPError

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, HfHubHTTPError):
            words = cause.server_message or _first_line(cause)
            return cause.response.status_code, words
        if isinstance(cause, lost_connections()):
            return 0, f"{cause or type(cause).__name__}"
        cause = cause.__cause__
    return None


def _refused(what: str, answer: tuple[int, str]) -> LeitmotifError:
    status, words = answer
    if status == 0:
        return LeitmotifError(
            what,
            found=f"the hub cannot be reached: {words}",
            fix=f"check the network, then {AGAIN}",
        )
    known, fix = _STATUS.get(status, ("the hub failed" if status >= 500 else "refused", AGAIN))
    return LeitmotifError(what, found=f"{known} (status {status}: {words})", fix=fix)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return " ".join(lines[:2]) if lines else type(error).__name__
