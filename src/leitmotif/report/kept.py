"""Clips that a stage kept as WAV files, as clips of a report."""

from pathlib import Path

import soundfile

from leitmotif.errors import StageError
from leitmotif.files import sha256_file
from leitmotif.report.clips import ReportClip
from leitmotif.report.folder import Folder


def add_kept(folder: Folder, path: Path, sha256: str, *, stage: str) -> ReportClip:
    """Write the clip into the report, to be heard and not drawn.

    ``sha256`` is what the table beside the file says of it; ``stage`` has written both. Raises
    StageError if the file cannot be read, or is not that of the table.
    """
    fix = f"run `dvc checkout {path.parent.as_posix()}`, or `dvc repro {stage}`"
    try:
        samples, rate = soundfile.read(path, dtype="int16")
    except (OSError, soundfile.LibsndfileError) as error:
        raise StageError(f"{path} cannot be read", found=error, fix=fix) from error
    if (present := sha256_file(path)) != sha256:
        raise StageError(
            f"{path} is not the clip of its table", found=present, expected=sha256, fix=fix
        )
    return folder.clip(samples, rate, pictured=False)
