"""Tracks that a stage leaves out: how they are recorded, and how many are too many."""

from collections.abc import Sequence

from leitmotif.errors import AudioError, StageError
from leitmotif.tables.corpus import Failure, ManifestTrack

_SHOWN = 20


def failed(track: ManifestTrack, error: AudioError) -> Failure:
    """Make the row that says why a track was left out."""
    facts = [("found", error.found), ("expected", error.expected)]
    details = "; ".join(f"{name} {fact}" for name, fact in facts if fact is not None)
    return Failure(
        track_id=track.track_id,
        path=track.path,
        reason=error.reason,
        detail=" ".join((details or error.what).split()),
    )


def limit_failures(
    stage: str, failures: Sequence[Failure], allowed: int | None = None, *, of: int
) -> None:
    """Raise StageError, listing the failures, when there are more than ``allowed``, or ``of``: all.

    ``allowed`` is the setting ``max_failures`` of the stage; None for a stage without it, in which
    no track may fail.
    """
    if not failures or (len(failures) <= (allowed or 0) and len(failures) < of):
        return
    lines = [f"  {failure.path}: {failure.reason} ({failure.detail})" for failure in failures]
    if len(lines) > _SHOWN:
        lines[_SHOWN:] = [f"  and {len(lines) - _SHOWN} more"]
    expected, fix = "none", "mend or remove these files"
    if allowed is not None:
        expected = f"at most {allowed} ({stage}.max_failures), and not all"
        fix += f", or raise {stage}.max_failures in params.yaml"
    raise StageError(
        "\n".join([f"{len(failures)} of {of} tracks failed", *lines]), expected=expected, fix=fix
    )
