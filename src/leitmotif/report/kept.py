"""Clips that a stage kept as WAV files, as clips of a report."""

import hashlib
import io
from pathlib import Path

import soundfile

from leitmotif.errors import StageError
from leitmotif.files import read_bytes
from leitmotif.report.clips import ReportClip
from leitmotif.report.folder import Folder


def add_kept(
    folder: Folder, path: Path, sha256: str, *, stage: str, pictured: bool = False
) -> ReportClip:
    """Write the clip into the report; unless it is ``pictured``, to be heard and not drawn.

    ``sha256`` is what the table of the clips says of the file, or of its samples; ``stage`` has
    written both. Raises StageError if the file cannot be read, or is not that of the table.
    """
    fix = f"run `dvc checkout {path.parent.as_posix()}`, or `dvc repro {stage}`"
    content = read_bytes(path, fix=fix, error=StageError)
    try:
        samples, rate = soundfile.read(io.BytesIO(content), dtype="int16")
    except (soundfile.LibsndfileError, MemoryError, ValueError) as error:
        raise StageError(f"{path} cannot be read as audio", found=error, fix=fix) from error
    present = [
        hashlib.sha256(held).hexdigest() for held in (content, samples.astype("<i2").tobytes())
    ]
    if sha256 not in present:
        raise StageError(
            f"{path} is not the clip of its table",
            found=f"SHA-256 {' and, of the samples, '.join(present)}",
            expected=sha256,
            fix=fix,
        )
    try:
        return folder.clip(samples, rate, pictured=pictured)
    except StageError as error:
        raise StageError(
            f"{path} cannot be shown in the report",
            found=error.found,
            expected=error.expected,
            fix=fix,
        ) from error
