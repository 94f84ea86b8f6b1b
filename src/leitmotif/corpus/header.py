"""Duration of a recording according to its header."""

from pathlib import Path

import soundfile


def header_seconds(path: Path) -> float | None:
    """Duration in seconds, exact to the sample, from the file's header; None if it is unreadable.

    Nothing is decoded. Raises OSError if the file cannot be opened.
    """
    with path.open("rb") as file:
        try:
            info = soundfile.info(file)
        except soundfile.SoundFileError:
            return None
    return float(info.frames / info.samplerate)
