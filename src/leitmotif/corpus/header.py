"""How long a recording says it is."""

from pathlib import Path

import soundfile


def header_seconds(path: Path) -> float | None:
    """Duration in seconds by the file's own header, to the sample; None if it cannot be read.

    Nothing is decoded. Raises OSError if the file cannot be opened.
    """
    with path.open("rb") as file:
        try:
            info = soundfile.info(file)
        except soundfile.SoundFileError:
            return None
    return float(info.frames / info.samplerate)
