"""A recording's file, opened safely and decoded block by block.

Lengths are those of what was decoded. A header's promise serves to notice that a file ends early,
and never to reserve memory.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from leitmotif.audio.reading.flac import read_flac
from leitmotif.audio.reading.iff import read_aiff, read_au, read_caf, read_w64
from leitmotif.audio.reading.layout import (
    UNKNOWN_LENGTH,
    WRONG_LENGTH,
    ContainerLayout,
    LayoutError,
    Remark,
    View,
)
from leitmotif.audio.reading.mpeg import read_mpeg
from leitmotif.audio.reading.ogg import read_ogg
from leitmotif.audio.reading.riff import read_riff
from leitmotif.audio.reading.samples import RATES, Samples
from leitmotif.errors import AudioError

_BLOCK_SAMPLES = 1 << 20
"""Decoded at a time, in all channels."""

_SHORTFALL_SECONDS = 0.1
"""Tolerated where a header's duration is an estimate."""

_READERS: dict[str, Callable[[BinaryIO, int, int], ContainerLayout | None]] = {
    "AIFF": read_aiff,
    "AU": read_au,
    "CAF": read_caf,
    "FLAC": read_flac,
    "MP3": read_mpeg,
    "OGG": read_ogg,
    "RF64": read_riff,
    "W64": read_w64,
    "WAV": read_riff,
    "WAVEX": read_riff,
}
"""Reader of each container, by libsndfile's name of it."""


class _Forward(soundfile.SoundFile):  # type: ignore[misc]  # it has no types
    """Read from beginning to end: ``soundfile`` would seek after each block, which in a file with
    a wrong header leads elsewhere."""

    def seekable(self) -> bool:
        return False


@dataclass
class AudioSource:
    """A file under decoding."""

    path: Path | str
    file: soundfile.SoundFile
    sample_rate: int
    channels: int
    stated: int | None
    """Samples in each channel that the container promises, where libsndfile does not know it."""
    exact: bool
    """Whether ``stated`` is a count and no estimate."""
    view: View | None
    remark: Remark | None


@contextmanager
def opened(path: Path | str) -> Iterator[AudioSource]:
    """Open a recording for decoding; nothing is decoded yet.

    Raises AudioError:

    - ``unreadable``: there is no such file, it may not be read, or it is a pipe, device or folder;
    - ``undecodable``: libsndfile cannot read it, or its sample rate is none;
    - ``truncated``: it ends before its container says;
    - ``damaged``, ``chained``, ``header_wrong``: see ``riff``, ``ogg`` and ``mpeg``.
    """
    with ExitStack() as stack:
        file = stack.enter_context(open_regular(path))
        size = os.fstat(file.fileno()).st_size
        with _decoder(path, file.fileno()) as sound:
            container = sound.format
        layout = _layout(path, file, size, container)
        view = None if layout.view is None else View(file, layout.view)
        # Anew, as the two share their position in the file.
        sound = stack.enter_context(_decoder(path, view or file.fileno()))
        rate = int(sound.samplerate)
        if not RATES[0] <= rate <= RATES[1]:
            raise AudioError(
                f"{path} has no usable sample rate",
                reason="undecodable",
                found=f"{rate} Hz",
                expected=f"{RATES[0]:,} to {RATES[1]:,} Hz",
                fix="export the file again",
            )
        stated = layout.frames if view is not None else int(sound.frames)
        yield AudioSource(
            path=path,
            file=sound,
            sample_rate=rate,
            channels=int(sound.channels),
            stated=stated,
            exact=layout.frames is not None,
            view=view,
            remark=layout.remark,
        )


def blocks(source: AudioSource, *, stop: int | None = None) -> Iterator[Samples]:
    """Decode to the end, or the first ``stop`` samples of each channel: arrays [n, channels].

    Raises AudioError: ``truncated`` when it ends before its header says or within a part of it,
    ``undecodable`` when libsndfile meets what it cannot decode. ``source.remark`` becomes
    ``header_wrong`` when there is more than the header says.
    """
    done, block = 0, max(1, _BLOCK_SAMPLES // source.channels)
    while stop is None or done < stop:
        limits = [limit - done for limit in (stop, source.stated) if limit is not None]
        want = min([block, *(limit for limit in limits if limit > 0)])
        try:
            samples = source.file.read(want, dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            if source.stated is not None and done >= source.stated:
                return  # whatever follows the audio, such as a tag
            raise _broken(source, done, error) from error
        if not len(samples):
            break
        done += len(samples)
        yield np.asarray(samples, np.float32)
    expected = source.stated if stop is None or source.stated is None else min(stop, source.stated)
    if expected is None:
        return
    tolerated = 0.0 if source.exact else _SHORTFALL_SECONDS * source.sample_rate
    if done < expected - tolerated:
        raise _ends_early(source, done, expected)
    if source.stated is not None and done > source.stated:
        detail = f"its header says {source.stated} samples, and {done} were decoded"
        source.remark = Remark(WRONG_LENGTH, detail)


def open_regular(path: Path | str) -> BufferedReader:
    """Open a regular file, or a link to one, for reading.

    A pipe, device or socket is not opened, for that may wait for ever or do something. Raises
    AudioError ``unreadable``.
    """
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise _unreadable(path, "neither a regular file nor a link to one")
        # Not waiting, should it have become a pipe in between.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    file = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise _unreadable(path, "neither a regular file nor a link to one")
    return file


def state_of(file: Path | int) -> tuple[int, ...] | None:
    """What differs once a file was written to or replaced; None if there is none any more."""
    try:
        status = os.stat(file)  # noqa: PTH116  # of an open file too
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def changed_meanwhile(path: Path | str) -> AudioError:
    """Make the failure of a file that was written to, replaced or removed while it was read."""
    return AudioError(
        f"{path} was changed while it was read",
        reason="changed",
        expected="a file that nobody writes to",
        fix="run it again once the file is finished",
    )


def _layout(path: Path | str, file: BinaryIO, size: int, container: str) -> ContainerLayout:
    read = _READERS.get(container)
    try:
        layout = read(file, _audio_start(file), size) if read else None
    except LayoutError as error:
        raise _refused(path, error) from error
    unchecked = Remark(UNKNOWN_LENGTH, f"{container} is not checked for a missing end")
    return layout or ContainerLayout(container, remark=unchecked)


def _decoder(path: Path | str, file: int | View) -> soundfile.SoundFile:
    try:
        if isinstance(file, int):
            os.lseek(file, 0, os.SEEK_SET)
            return _Forward(os.dup(file))
        return _Forward(file)
    except (soundfile.SoundFileError, TypeError) as error:
        # libsndfile's message begins with the number of the open file, another one in each run.
        raise AudioError(
            f"{path} cannot be decoded",
            reason="undecodable",
            found=getattr(error, "error_string", error),
            expected="a wav, flac, ogg or mp3 file",
            fix="replace or remove the file",
        ) from error


def _audio_start(file: BinaryIO) -> int:
    """Where the audio begins, behind ID3 tags."""
    at = 0
    while True:
        file.seek(at)
        head = file.read(10)
        if len(head) < 10 or head[:3] != b"ID3":
            return at
        length = 0
        for byte in head[6:10]:
            length = length << 7 | byte & 0x7F
        at += 10 + length + (10 if head[5] & 0x10 else 0)


def _unreadable(path: Path | str, found: object) -> AudioError:
    return AudioError(
        f"{path} cannot be read",
        reason="unreadable",
        found=found,
        expected="a regular file that you may read",
        fix="replace or remove the file",
    )


def _refused(path: Path | str, error: LayoutError) -> AudioError:
    what = "ends early" if error.reason == "truncated" else "is not whole"
    return AudioError(
        f"{path} {what}",
        reason=error.reason,
        found=error.found,
        expected=error.expected,
        fix="replace or remove the file",
    )


def _broken(source: AudioSource, done: int, error: Exception) -> AudioError:
    at_end = source.view is not None and source.view.ended
    if at_end and (source.stated is None or done < source.stated):
        return _ends_early(source, done, source.stated, broken=True)
    return AudioError(
        f"{source.path} cannot be decoded",
        reason="undecodable",
        found=f"{error}, after {done / source.sample_rate:.2f} s or more",
        expected="a wav, flac, ogg or mp3 file",
        fix="replace or remove the file",
    )


def _ends_early(
    source: AudioSource, done: int, expected: int | None, *, broken: bool = False
) -> AudioError:
    rate = source.sample_rate
    return AudioError(
        f"{source.path} ends early",
        reason="truncated",
        found=f"{'at least ' if broken else ''}{done / rate:.2f} s",
        expected="whole frames"
        if expected is None
        else f"{expected / rate:.2f} s, as its header says",
        fix="replace or remove the file",
    )
