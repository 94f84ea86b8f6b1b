"""What went wrong with a remote, in words that say what to do.

The errors come from botocore, aiobotocore, s3fs and the system, through DVC. They are told apart by
the names of their classes and by S3's error codes: the packages are an extra, and not imported.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from leitmotif.errors import LeitmotifError


@dataclass(frozen=True)
class _Cause:
    names: frozenset[str]
    """Classes of exceptions, and codes of S3."""
    what: str
    expected: str
    fix: str


_CAUSES = (
    _Cause(
        frozenset({"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"}),
        "there are no credentials for it",
        "an access key and its secret",
        "leitmotif remote add URL --profile NAME for a profile of ~/.aws/credentials, or --keys to "
        "type them; or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    ),
    _Cause(
        frozenset({"ProfileNotFound"}),
        "there is no such profile",
        "a profile in ~/.aws/credentials or ~/.aws/config",
        "aws configure --profile NAME, or name another profile",
    ),
    _Cause(
        frozenset(
            {"SignatureDoesNotMatch", "InvalidAccessKeyId", "InvalidToken", "ExpiredToken",
             "AuthorizationHeaderMalformed", "TokenRefreshRequired", "ExpiredTokenException"}
        ),
        "the server refuses the credentials",
        "an access key that the server knows, with its secret",
        "correct the key or the profile, then leitmotif remote add with --replace",
    ),
    _Cause(
        frozenset({"RequestTimeTooSkewed"}),
        "the server refuses this machine's time",
        "a clock that is right within 15 minutes",
        "set the clock",
    ),
    _Cause(
        frozenset({"NoSuchBucket", "InvalidBucketName"}),
        "there is no such bucket",
        "a bucket that exists",
        "create the bucket, or correct its name in the URL",
    ),
    _Cause(
        frozenset({"AccessDenied", "AllAccessDisabled", "AccountProblem", "NotSignedUp", "403"}),
        "the server refuses the right to do this",
        "the rights ListBucket, GetObject, PutObject and DeleteObject",
        "ask the owner of the bucket for these rights",
    ),
    _Cause(
        frozenset({"EntityTooLarge", "QuotaExceeded", "QuotaExceededException", "StorageFull",
                   "XMinioStorageFull", "InsufficientStorage", "507"}),
        "the quota is used up, or the object is too large for the server",
        "room for what is written",
        "free some space there, or let its quota be raised",
    ),
    _Cause(
        frozenset(
            {"EndpointConnectionError", "ConnectTimeoutError", "ConnectionClosedError",
             "ReadTimeoutError", "ProxyConnectionError", "HTTPClientError", "SSLError",
             "ConnectionError", "ConnectionRefusedError", "ConnectionResetError", "TimeoutError",
             "FSTimeoutError", "ClientConnectorError", "ServerDisconnectedError", "gaierror",
             "IncompleteReadError", "ClientPayloadError"}
        ),
        "there is no connection to the server",
        "a server that answers at this address",
        "check the network and the endpoint, then run this again",
    ),
    _Cause(
        frozenset({"ServiceUnavailable", "SlowDown", "InternalError", "500", "502", "503", "504"}),
        "the server cannot do it now",
        "a server in order",
        "wait, then run this again",
    ),
    _Cause(
        frozenset(
            {"ResponseParserError", "MethodNotAllowed", "405", "404", "400", "NotImplemented",
             "PermanentRedirect", "301", "307", "501", "UnknownEndpointError", "InvalidEndpoint"}
        ),
        "the server does not answer as S3 does",
        "the endpoint of an S3 service, and the bucket's region",
        "correct --endpoint",
    ),
)  # fmt: skip
_CLIENTS = ("botocore", "aiobotocore", "aiohttp", "s3fs")
_BY_ERRNO = {
    errno.ENOSPC: ("the disk is full", "room for what is written", "free some space there"),
    errno.EDQUOT: ("the quota is used up", "room for what is written", "free some space there"),
    errno.EROFS: ("it is read-only", "a folder that can be written", "choose another place"),
}


@contextmanager
def explained(what: str, place: str, endpoint: str | None = None) -> Iterator[None]:
    """Turn an error of the remote at ``place`` into a LeitmotifError that begins with ``what``.

    Errors of this package pass; so do those that no remote causes, as they are faults of ours.
    """
    try:
        yield
    except LeitmotifError:
        raise
    except Exception as error:  # several packages, each with errors of its own
        chain = list(_chain(error))
        where = f"{place} at {endpoint}" if endpoint else place
        words = next((text for text in map(str, chain) if text.strip()), type(error).__name__)
        names = [name for link in reversed(chain) for name in _names(link)]
        for cause in _CAUSES:
            if cause.names.intersection(names):
                raise LeitmotifError(
                    f"{what}: {cause.what} ({where})",
                    found=words,
                    expected=cause.expected,
                    fix=cause.fix,
                ) from error
        if type(error).__module__.partition(".")[0] in _CLIENTS:
            raise LeitmotifError(
                f"{what}: the request cannot be made ({where})",
                found=words,
                expected="settings that S3's client accepts",
                fix="correct the URL, the endpoint, or the region in ~/.aws/config",
            ) from error
        if not isinstance(error, OSError):
            raise
        reason, expected, fix = _BY_ERRNO.get(
            error.errno or 0,
            (error.strerror or "the system refuses it", "a place to read and write",
             "give yourself the right to write there, or choose another place"),
        )  # fmt: skip
        raise LeitmotifError(
            f"{what}: {reason} ({where})", found=words, expected=expected, fix=fix
        ) from error


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _names(error: BaseException) -> Iterator[str]:
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        details = response.get("Error", {})
        yield str(details.get("Code"))
        yield str(response.get("ResponseMetadata", {}).get("HTTPStatusCode"))
    else:
        yield from (kind.__name__ for kind in type(error).__mro__)
